"""Google's own implementation of the format that `otokura.shared.cipher` writes: the `tink` package."""

from __future__ import annotations

import io

import tink  # type: ignore[import-untyped]
from tink import proto_keyset_format, secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2  # type: ignore[import-untyped]

SEGMENT_BYTES = 64 * 1024
TinkError = tink.TinkError

streaming_aead.register()


class TinkStream:
    """AES256-GCM-HKDF streaming under one key, with the segments of our size."""

    def __init__(self, key: bytes) -> None:
        params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
            ciphertext_segment_size=SEGMENT_BYTES,
            derived_key_size=len(key),
            hkdf_hash_type=common_pb2.SHA256,
        )
        data = tink_pb2.KeyData(
            type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
            value=aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
                version=0, params=params, key_value=key
            ).SerializeToString(),
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
        )
        entry = tink_pb2.Keyset.Key(
            key_data=data, status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW
        )
        serialised = tink_pb2.Keyset(primary_key_id=1, key=[entry]).SerializeToString()
        handle = proto_keyset_format.parse(serialised, secret_key_access.TOKEN)
        self._primitive = handle.primitive(streaming_aead.StreamingAead)

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """A whole message, sealed."""
        sealed = io.BytesIO()
        sealed.close = lambda: None  # type: ignore[method-assign] # closing the stream must not lose the bytes
        with self._primitive.new_encrypting_stream(sealed, associated_data) as stream:
            stream.write(plaintext)
        return sealed.getvalue()

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """A whole message, opened.

        Raises:
            TinkError: it is not authentic.
        """
        with self._primitive.new_decrypting_stream(io.BytesIO(ciphertext), associated_data) as stream:
            return bytes(stream.read())
