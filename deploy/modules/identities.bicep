// One identity for each duty, so that no process may do more than its own.
param location string
param tags object
param suffix string

@description('Records: reads and appends in the live container, signs with the key, logs in to PostgreSQL.')
resource recorder 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-recorder-${suffix}'
  location: location
  tags: tags
}

@description('Copies ended tapes to the evidence container, and applies retention and holds to copies.')
resource sealer 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-sealer-${suffix}'
  location: location
  tags: tags
}

@description('Pulls the image; no container can use it.')
resource pull 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-pull-${suffix}'
  location: location
  tags: tags
}

output recorderId string = recorder.id
output recorderName string = recorder.name
output recorderPrincipalId string = recorder.properties.principalId
output recorderClientId string = recorder.properties.clientId
output sealerId string = sealer.id
output sealerPrincipalId string = sealer.properties.principalId
output sealerClientId string = sealer.properties.clientId
output pullId string = pull.id
output pullPrincipalId string = pull.properties.principalId
