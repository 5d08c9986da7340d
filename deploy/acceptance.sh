#!/bin/sh
# Asks a live deployment whether it is as deploy/README.md says: azd runs it after `deploy`, anybody may at any time. Needs az (signed in) and curl.
# Takes names from azd's environment, or as SALLYPORT_APP, SALLYPORT_CONSOLE, SALLYPORT_STORAGE_ACCOUNT, AZURE_RESOURCE_GROUP.
# Exit code: how many checks failed. What only the gateway itself can try (appending, signing, what must be refused) is `sallyport doctor`:
#   az containerapp exec -g "$AZURE_RESOURCE_GROUP" -n "$SALLYPORT_APP" --command 'sallyport doctor'
set -u
failed=0

check() { # check <what> <expected> <seen>
  if [ "$2" = "$3" ]; then
    printf 'ok    %s\n' "$1"
  else
    printf 'FAIL  %s: expected %s, is %s\n' "$1" "$2" "${3:-nothing}"
    failed=$((failed + 1))
  fi
}

: "${AZURE_RESOURCE_GROUP:?}" "${SALLYPORT_APP:?}" "${SALLYPORT_CONSOLE:?}" "${SALLYPORT_STORAGE_ACCOUNT:?}"

account() { az storage account show -g "$AZURE_RESOURCE_GROUP" -n "$SALLYPORT_STORAGE_ACCOUNT" --query "$1" -o tsv 2>/dev/null; }
check 'storage: account keys are off' false "$(account allowSharedKeyAccess)"
check 'storage: not public' Disabled "$(account publicNetworkAccess)"
check 'storage: TLS 1.2' TLS1_2 "$(account minimumTlsVersion)"

container() { az storage container-rm show --storage-account "$SALLYPORT_STORAGE_ACCOUNT" -g "$AZURE_RESOURCE_GROUP" -n "$1" --query "$2" -o tsv 2>/dev/null; }
check 'live: an immutability policy' true "$(container live hasImmutabilityPolicy)"
check 'live: appends are allowed under it' true "$(container live immutabilityPolicy.allowProtectedAppendWrites)"
check 'evidence: version-level immutability' true "$(container evidence immutableStorageWithVersioning.enabled)"

scope=$(account id)/blobServices/default/containers
rights() { az role assignment list --all --scope "$1" --query "length([?contains(roleDefinitionName, '$2')])" -o tsv 2>/dev/null; }
check 'live: one recorder' 1 "$(rights "$scope/live" 'Sallyport Recorder')"
check 'live: nobody with Storage Blob Data Contributor' 0 "$(rights "$scope/live" 'Storage Blob Data Contributor')"
check 'live: nobody with Storage Blob Data Owner' 0 "$(rights "$scope/live" 'Storage Blob Data Owner')"
check 'evidence: one sealer' 1 "$(rights "$scope/evidence" 'Sallyport Sealer')"
check 'evidence: the recorder may not write there' 0 "$(rights "$scope/evidence" 'Sallyport Recorder')"

running() { az containerapp replica list -g "$AZURE_RESOURCE_GROUP" -n "$SALLYPORT_APP" --query "length([?properties.runningState=='Running'])" -o tsv 2>/dev/null; }
replicas=$(running)
check 'the app has a running replica' yes "$([ "${replicas:-0}" -ge 1 ] 2>/dev/null && echo yes || echo no)"

# Reached from the virtual network alone unless the deployment is external.
status() { curl -s -o /dev/null -m 10 -w '%{http_code}' "$SALLYPORT_CONSOLE$1" 2>/dev/null; }
check 'the console answers' 200 "$(status /api/v1/healthz)"
check 'the API asks who one is' 401 "$(status /api/v1/sessions)"

if [ "$failed" -eq 0 ]; then printf 'all is as it should be\n'; else printf '%d checks failed\n' "$failed"; fi
exit "$failed"
