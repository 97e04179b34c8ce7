/* Writing compressed files; inside src/vfs only.
 *
 * What is written is cut into pieces, and each becomes a frame of its own, so that readers can begin
 * at any of them:
 *
 *     gzip   members of 64 KiB that say their size (BGZF, as bgzip writes it)
 *     zstd   frames of 1 MiB, and behind them the seek table of zstd's seekable format
 *     lz4    frames of 1 MiB that say their size */
#ifndef STOA_VFS_PACK_H
#define STOA_VFS_PACK_H

#include "mem/buffer.h"
#include "vfs/compressed.h"

typedef struct stoa_packer stoa_packer;

/// Errors   STOA_UNSUPPORTED  the packing is only read (bzip2, xz); the message names it
///          STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_packer_create(stoa_pool *pool, stoa_packing packing,
                                             stoa_packer **out, stoa_error *err);
void stoa_packer_close(stoa_packer *packer);

/// Takes `size` plain bytes; appends to `out` the frames that became full.
STOA_MUST_USE stoa_status stoa_packer_write(stoa_packer *packer, const void *bytes, size_t size,
                                            stoa_buffer *out, stoa_error *err);
/// Appends to `out` what makes a whole file of all that was written; more may be written behind it.
/// Nothing when that holds already; a file to which nothing was ever written gets an empty frame.
STOA_MUST_USE stoa_status stoa_packer_end(stoa_packer *packer, stoa_buffer *out, stoa_error *err);

/// The packer goes on behind a file of `size` bytes that is there: with its seek table, if it has
/// one. An empty file is as none.
STOA_MUST_USE stoa_status stoa_packer_append_to(stoa_packer *packer, stoa_file *file, uint64_t size,
                                                stoa_error *err);

/// A handle that packs what is written into `inner`; `context` has a pool. Takes `inner` and `packer`,
/// also on error.
STOA_MUST_USE stoa_status stoa_packed_file_create(const stoa_context *context, const char *name,
                                                  stoa_file *inner, stoa_packer *packer,
                                                  stoa_file **out, stoa_error *err);

#endif
