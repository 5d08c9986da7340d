// Roles Azure has not: to record without being able to overwrite, to seal without being able to delete.
param suffix string

var scopeId = resourceGroup().id

@description('Creates and extends append blobs, makes block blobs once, reads. No overwriting, deleting, tagging or signing of links.')
resource recorder 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(scopeId, 'sallyport-recorder')
  properties: {
    roleName: 'Sallyport Recorder ${suffix}'
    description: 'Appends recordings and reads them; can neither overwrite nor delete'
    type: 'CustomRole'
    assignableScopes: [scopeId]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'
        ]
        notDataActions: []
      }
    ]
  }
}

@description('Writes copies, which the container keeps from being changed; sets their retention and tags.')
resource sealer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(scopeId, 'sallyport-sealer')
  properties: {
    roleName: 'Sallyport Sealer ${suffix}'
    description: 'Copies ended recordings into the evidence container and sets their retention; cannot delete'
    type: 'CustomRole'
    assignableScopes: [scopeId]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/write'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/immutableStorage/runAsSuperUser/action'
        ]
        notDataActions: []
      }
    ]
  }
}

@description('Legal holds on copies: a right of its own, because whoever can set one can clear it.')
resource holds 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(scopeId, 'sallyport-holds')
  properties: {
    roleName: 'Sallyport Legal Holds ${suffix}'
    description: 'Sets and clears legal holds on copies in the evidence container'
    type: 'CustomRole'
    assignableScopes: [scopeId]
    permissions: [
      {
        actions: ['Microsoft.Storage/storageAccounts/blobServices/containers/write']
        notActions: []
        dataActions: ['Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read']
        notDataActions: []
      }
    ]
  }
}

output recorderRoleId string = recorder.id
output sealerRoleId string = sealer.id
output holdsRoleId string = holds.id
