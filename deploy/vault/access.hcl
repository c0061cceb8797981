# What access may do with key-encryption keys: unwrap for reads; wrap what it keeps of its own, second factors.
path "transit/encrypt/otokura-*" {
  capabilities = ["create", "update"]
}
path "transit/decrypt/otokura-*" {
  capabilities = ["update"]
}
path "transit/keys/otokura-*" {
  capabilities = ["read"]
}
