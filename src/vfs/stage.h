/* Local paths for files that lie elsewhere, for readers that need a path.
 *
 * Each file gets a name below a temporary directory that ends as its URI does, so that readers who go
 * by endings ("….csv.gz") or by parts ("year=2024/…") find what they would find there. Behind the
 * name lies the cache's copy where there is one, else a copy of its own. */
#ifndef STOA_VFS_STAGE_H
#define STOA_VFS_STAGE_H

#include "vfs/vfs.h"

typedef struct stoa_stage stoa_stage;

/// An empty stage. `directory` is a local one in which it may make and remove names of its own; it
/// is made when it is missing. Both are copied or borrowed as `registry` is: it outlives the stage.
STOA_MUST_USE stoa_status stoa_stage_create(stoa_fs_registry *registry, const char *directory,
                                            stoa_pool *pool, stoa_stage **out, stoa_error *err);
/// Removes what was staged. NULL is allowed.
void stoa_stage_close(stoa_stage *stage);

/// Fetches all of `uri` and gives a local path to it, valid until the stage is closed; for a local
/// URI its own, unless it is unpacked. With `unpack`, what is packed in a way that only Stoa reads
/// (LZ4, bzip2, xz) is unpacked, and gzip and zstd are given the endings by which others know them.
///
/// Errors   those of opening and reading; STOA_IO when the local disk is full
/// Owns     `*out` is the stage's.
/// Threads  One call at a time for a stage.
STOA_MUST_USE stoa_status stoa_stage_add(stoa_stage *stage, const char *uri, bool unpack,
                                         const stoa_context *context, const char **out,
                                         stoa_error *err);

/// The same for many, several at a time where the context has a scheduler; stoa_stage_add then gives
/// their paths at once. On error none of them is staged that was not before.
STOA_MUST_USE stoa_status stoa_stage_add_all(stoa_stage *stage, const char *const *uris,
                                             size_t count, bool unpack, const stoa_context *context,
                                             stoa_error *err);

/// Whether a name ends as one of a file that must be unpacked to be read by others, even when it is
/// local.
bool stoa_stage_unpacks(const char *uri);

/// Puts the URIs in place of the local paths in a message.
void stoa_stage_explain(const stoa_stage *stage, stoa_error *err);

#endif
