/* The bytes of a manifest: a header, then edits as records; docs/formats/manifest.md. */
#ifndef STOA_LSM_MANIFEST_FORMAT_H
#define STOA_LSM_MANIFEST_FORMAT_H

#include "lsm/manifest.h"
#include "mem/arena.h"

#define STOA_MANIFEST_MAGIC "StoaMAN"
enum { STOA_MANIFEST_VERSION = 1, STOA_MANIFEST_ALIGNMENT = 8 };

typedef struct stoa_manifest_header {
    char magic[8];
    uint32_t version;
    uint32_t zero;
    uint64_t number;       /* of the manifest, as in its name */
    uint64_t base_records; /* the first so many were durable before `CURRENT` named the manifest */
    uint32_t zero_too;
    uint32_t crc; /* of the bytes before */
} stoa_manifest_header;

/* The payload follows. */
typedef struct stoa_manifest_record {
    uint32_t size;  /* of the payload; a multiple of 8 */
    uint32_t crc;   /* of the manifest's number, `index`, `size` and the payload */
    uint64_t index; /* 1 for the first record of a manifest, and so on */
} stoa_manifest_record;

_Static_assert(sizeof(stoa_manifest_header) == 40 && sizeof(stoa_manifest_record) == 16,
               "the format's structs have no padding");

/// The checksum that a record with this payload of `record->size` bytes has.
uint32_t stoa_manifest_crc(uint64_t number, const stoa_manifest_record *record,
                           const uint8_t *payload);

/// Appends a header.
STOA_MUST_USE stoa_status stoa_manifest_header_encode(uint64_t number, uint64_t base_records,
                                                      stoa_buffer *out, stoa_error *err);
/// Errors   STOA_CORRUPT      no header, or not of manifest `number`
///          STOA_UNSUPPORTED  a newer version
STOA_MUST_USE stoa_status stoa_manifest_header_decode(const uint8_t *bytes, size_t size,
                                                      uint64_t number, uint64_t *out_base_records,
                                                      stoa_error *err);

/// Appends an edit as a record. On error `out` is as it was.
///
/// Errors   STOA_LIMIT  4 GiB in one edit; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_manifest_edit_encode(const stoa_manifest_edit *edit, uint64_t number,
                                                    uint64_t index, stoa_buffer *out,
                                                    stoa_error *err);

/// A payload as an edit that borrows it; lists lie in the arena.
///
/// Errors   STOA_CORRUPT      bytes that are no edit
///          STOA_UNSUPPORTED  something that a newer version wrote and that must not be passed over
STOA_MUST_USE stoa_status stoa_manifest_edit_decode(stoa_arena *arena, const uint8_t *payload,
                                                    size_t size, stoa_manifest_edit *out,
                                                    stoa_error *err);

/// About how many bytes of a manifest these take.
size_t stoa_manifest_file_bytes(const stoa_manifest_file *file);
size_t stoa_manifest_table_bytes(const stoa_manifest_table *table);

#endif
