/* The table behind the frames of zstd's seekable format; inside src/vfs only.
 *
 *     skippable frame   magic 0x184D2A5E, size
 *     for each frame    packed size, plain size, [checksum of the plain bytes], 32 bits each
 *     footer            number of frames, flags (bit 7: there are checksums), magic 0x8F92EAB1
 *
 * Source   github.com/facebook/zstd, contrib/seekable_format/zstd_seekable_compression_format.md */
#ifndef STOA_VFS_SEEK_TABLE_H
#define STOA_VFS_SEEK_TABLE_H

#include "mem/buffer.h"
#include "vfs/compressed.h"

struct seek_entry {
    uint32_t packed_bytes;
    uint32_t plain_bytes;
    uint32_t checksum; /* of the plain bytes: the low half of their XXH64; only when there are such */
};

/// Reads the table of a file of `file_size` bytes. `*out` is its entries, one behind the other in a
/// buffer that the caller initialised with a pool.
///
/// Errors   STOA_NOT_FOUND  there is no table, or one that does not fit the file: readers do without
///          STOA_IO, …      the file cannot be read
STOA_MUST_USE stoa_status stoa_seek_table_read(stoa_file *file, uint64_t file_size,
                                               stoa_buffer *out, uint64_t *out_table_bytes,
                                               bool *out_has_checksums, stoa_error *err);
/// Appends a table without checksums for the entries in `entries`.
STOA_MUST_USE stoa_status stoa_seek_table_write(const stoa_buffer *entries, stoa_buffer *out,
                                                stoa_error *err);

#endif
