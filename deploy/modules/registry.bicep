// Images of the gateway. Admin user and anonymous pull are off; one identity pulls.
param location string
param tags object
param suffix string
param pullId string

var acrPull = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: 'cr${suffix}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
  }
}

resource pulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: registry
  name: guid(registry.id, pullId, acrPull)
  properties: { principalId: pullId, principalType: 'ServicePrincipal', roleDefinitionId: acrPull }
}

output loginServer string = registry.properties.loginServer
