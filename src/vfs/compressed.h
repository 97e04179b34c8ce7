/* Compressed files: recognised by their content, read as if they were plain, at any offset.
 *
 * Read are gzip, zstd, the LZ4 frame, bzip2 and xz; written are gzip, zstd and the LZ4 frame. */
#ifndef STOA_VFS_COMPRESSED_H
#define STOA_VFS_COMPRESSED_H

#include <stoa/fs.h>

typedef enum stoa_packing {
    STOA_PACKING_NONE,
    STOA_PACKING_GZIP,  /* RFC 1952, members one after the other */
    STOA_PACKING_ZSTD,  /* RFC 8878, frames one after the other, with or without a seek table */
    STOA_PACKING_LZ4,   /* LZ4 frames one after the other */
    STOA_PACKING_BZIP2, /* streams one after the other */
    STOA_PACKING_XZ     /* streams one after the other, with padding */
} stoa_packing;

/// "none", "gzip", "zstd", "lz4", "bzip2", "xz".
const char *stoa_packing_name(stoa_packing packing);

/// With so many bytes from the start of a file its packing is told for certain.
enum { STOA_PACKING_HEAD_BYTES = 64 };

/// The packing of a file that begins with these bytes. More than the magic numbers is looked at
/// (reserved bits, header checksums, what follows a skippable frame), so that no text is taken for
/// a compressed file.
stoa_packing stoa_packing_recognise(const void *head, size_t size);

/// The packing that the ending of a name stands for (".gz", ".zst", ".zstd", ".lz4", ".bz2", ".xz",
/// in any case); NONE for any other. `*out_stem_length` (nullable) is the length without it.
stoa_packing stoa_packing_of_name(const char *name, size_t *out_stem_length);

/// Makes a handle that reads what `packed`, open for reading, holds unpacked. A file that is not
/// compressed comes back as it is.
///
/// Any offset may be read. In order is fast; behind the last read it goes on from there; otherwise
/// from the nearest place at which the format, or an index built while reading, lets it begin, and
/// where there is none from the start. The handle's size is what the format says in a place that
/// can be trusted, and found by unpacking once where it says nothing. A pipe is read in order only,
/// and has no size. Everything that the formats let check is checked (lengths, checksums, that
/// nothing else stands behind the last frame); the end of a file inside a frame is an error. Frames
/// that are whole and stand before what is wrong are read.
///
/// Units    Decoders may use 160 MiB each; a file that needs more is refused. At most four
///          positions of one handle are decoded at once.
/// Errors   STOA_CORRUPT  (reads too) the packed bytes are wrong; the message says which frame
///                        and which byte of the packed file
///          STOA_LIMIT    (reads too) the file needs a larger window than a decoder may use
///          STOA_UNSUPPORTED  (reads) an LZ4 frame of the legacy format or with a dictionary
///          STOA_IO, STOA_NO_MEMORY, STOA_CANCELLED
/// Owns     `packed` moves, also on error. `context` has a pool; its token is kept by `out`.
/// Threads  As any file: reads from several threads at once.
STOA_MUST_USE stoa_status stoa_compressed_open(const stoa_context *context, stoa_file *packed,
                                               stoa_packing *out_packing, stoa_file **out,
                                               stoa_error *err);

/// Makes a handle that packs what is written to it into `target`, open for writing. The file is whole
/// after each sync, and after the close.
///
/// Errors   STOA_UNSUPPORTED  the packing is only read (bzip2, xz)
/// Owns     `target` moves, also on error. `context` has a pool.
STOA_MUST_USE stoa_status stoa_compressed_create(const stoa_context *context, stoa_file *target,
                                                 stoa_packing packing, stoa_file **out,
                                                 stoa_error *err);

/// Puts a file system before `inner`: what is read through it is unpacked where its content is
/// compressed, whatever its name; what is written under a name that ends in .gz, .zst, .zstd or .lz4
/// is packed. `other_packing` is for names without such an ending: NONE writes them as they are, any
/// other packs them too.
///
/// `stat` and `list` tell the sizes that are stored; an open file tells its plain one. A packed file
/// is a whole one after each sync and after its close; appending adds frames. After a failed write
/// it takes no more. It cannot be truncated, nor its size be asked while it is written.
///
/// Errors   STOA_UNSUPPORTED  (opens) the ending is .bz2 or .xz, which are only read
///          STOA_INVALID      (opens) what would be appended to is packed otherwise, or not at all
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     On STOA_OK `inner` is closed with `out`; on error it is still the caller's.
STOA_MUST_USE stoa_status stoa_fs_compressed_create(stoa_pool *pool, stoa_fs inner,
                                                    stoa_packing other_packing, stoa_fs *out,
                                                    stoa_error *err);

#endif
