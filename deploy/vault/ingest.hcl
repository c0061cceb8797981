# What ingest may do with key-encryption keys: wrap (a tenant's first wrap makes its key) and unwrap.
# Give Otokura a Transit mount of its own; where that is not `transit`, change the paths.
path "transit/encrypt/otokura-*" {
  capabilities = ["create", "update"]
}
path "transit/decrypt/otokura-*" {
  capabilities = ["update"]
}
# Which versions there are. The keys themselves leave the server for nobody.
path "transit/keys/otokura-*" {
  capabilities = ["read"]
}
