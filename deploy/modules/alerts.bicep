// What somebody has to look at. The log's lines are docs/operations.md's.
param location string
param tags object
param suffix string
param email string
param workspaceId string
param appName string
param storageId string

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'sallyport'
    enabled: true
    emailReceivers: empty(email) ? [] : [{ name: 'first', emailAddress: email, useCommonAlertSchema: true }]
  }
}

var lines = 'ContainerAppConsoleLogs | where ContainerAppName == "${appName}" | extend line = parse_json(Log)'
var rules = [
  {
    name: 'recording-failed'
    severity: 1
    description: 'A session could no longer be recorded, or not be opened for that reason'
    query: '${lines} | where line.msg startswith "recording failed" or line.msg startswith "session not opened"'
  }
  {
    name: 'spool-kept'
    severity: 1
    description: 'A spool could not be recovered: frames were accepted whose tape is missing or damaged'
    query: '${lines} | where line.msg startswith "a spool could not be recovered"'
  }
  {
    name: 'copies-late'
    severity: 2
    description: 'Tapes are not copied to the evidence container'
    query: '${lines} | where line.msg startswith "a tape could not be copied"'
  }
  {
    name: 'ledger'
    severity: 2
    description: 'Checkpoints of the ledger are not made or not attested'
    query: '${lines} | where line.msg startswith "ledger:"'
  }
  {
    name: 'denied'
    severity: 3
    description: 'Many proofs are denied: somebody guesses, or an agent has a stale key'
    query: '${lines} | where line.msg == "proof denied" | summarize n = count() by bin(TimeGenerated, 15m) | where n > 100'
  }
  {
    name: 'bugs'
    severity: 2
    description: 'Unexpected errors'
    query: '${lines} | where line.msg startswith "unexpected error" or line.msg startswith "connection failed unexpectedly"'
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-03-15-preview' = [
  for rule in rules: {
    name: 'alert-${rule.name}-${suffix}'
    location: location
    tags: tags
    properties: {
      displayName: 'Sallyport: ${rule.name}'
      description: rule.description
      severity: rule.severity
      enabled: true
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      scopes: [workspaceId]
      // The table is there once the app has written its first line.
      skipQueryValidation: true
      criteria: {
        allOf: [{ query: rule.query, timeAggregation: 'Count', operator: 'GreaterThan', threshold: 0 }]
      }
      actions: { actionGroups: [people.id] }
    }
  }
]

resource storageAway 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'alert-storage-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Storage is not available: sessions wait for it and then end'
    severity: 1
    enabled: true
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    scopes: [storageId]
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'availability'
          criterionType: 'StaticThresholdCriterion'
          metricName: 'Availability'
          operator: 'LessThan'
          threshold: 99
          timeAggregation: 'Average'
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}
