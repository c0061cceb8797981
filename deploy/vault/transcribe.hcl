# What transcribe may do with key-encryption keys: unwrap.
path "transit/decrypt/otokura-*" {
  capabilities = ["update"]
}
path "transit/keys/otokura-*" {
  capabilities = ["read"]
}
