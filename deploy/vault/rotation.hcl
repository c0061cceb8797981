# What `otokura keys rotate` may do: make new versions of keys and end old ones. It opens nothing.
# A `+` is any one key of the mount, which is why Otokura has a mount of its own.
path "transit/keys" {
  capabilities = ["list"]
}
path "transit/keys/" {
  capabilities = ["list"]
}
path "transit/keys/+" {
  capabilities = ["read"]
}
path "transit/keys/+/rotate" {
  capabilities = ["update"]
}
path "transit/keys/+/config" {
  capabilities       = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
    "min_encryption_version" = []
  }
}
path "transit/keys/+/trim" {
  capabilities = ["update"]
}
