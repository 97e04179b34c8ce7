/* What the files of the manifest share: its log as it is read and as it is written. */
#ifndef STOA_LSM_MANIFEST_INTERNAL_H
#define STOA_LSM_MANIFEST_INTERNAL_H

#include "lsm/manifest_format.h"
#include "lsm/manifest_state.h"
#include "vfs/vfs.h"

/* Where manifests lie. Borrows the directory. */
typedef struct stoa_manifest_place {
    stoa_context context;
    stoa_fs_registry *file_systems;
    const char *directory;
} stoa_manifest_place;

/// "DIRECTORY/MANIFEST-0000000000000001", from the context's pool.
STOA_MUST_USE stoa_status stoa_manifest_uri(const stoa_manifest_place *place, uint64_t number,
                                            char **out, stoa_error *err);

/// The number of a manifest's name of so many bytes; false: it is no such name.
bool stoa_manifest_parse_name(const char *name, size_t size, uint64_t *out);
/// Takes the store's lock, for who writes.
///
/// Errors   STOA_LOCKED  another process has it; the message names it
STOA_MUST_USE stoa_status stoa_manifest_lock(const stoa_manifest_place *place, stoa_file **out,
                                             stoa_error *err);

/// The number that `CURRENT` says.
///
/// Errors   STOA_NOT_FOUND  there is no `CURRENT`; STOA_CORRUPT  it says something else
STOA_MUST_USE stoa_status stoa_manifest_current_read(const stoa_manifest_place *place,
                                                     uint64_t *out, stoa_error *err);
/// Makes `CURRENT` say it, durably. On error it is not known what it says.
STOA_MUST_USE stoa_status stoa_manifest_current_write(const stoa_manifest_place *place,
                                                      uint64_t number, stoa_error *err);
STOA_MUST_USE stoa_status stoa_manifest_remove(const stoa_manifest_place *place, uint64_t number,
                                               stoa_error *err);

/* A manifest that is read. */
typedef struct stoa_manifest_log {
    stoa_file *file;
    uint64_t number;
    uint64_t base_records;
    uint64_t record_count; /* read so far */
    uint64_t size;         /* the end of the last of them */
    bool is_torn;          /* something follows that is no whole record */
    stoa_buffer window;    /* bytes of the file from `window_at` on */
    uint64_t window_at;
} stoa_manifest_log;

/// Opens manifest `number` and checks its header. On error the log is released.
///
/// Errors   STOA_NOT_FOUND  there is none; STOA_CORRUPT, STOA_UNSUPPORTED, STOA_IO, …
STOA_MUST_USE stoa_status stoa_manifest_log_open(stoa_manifest_log *log,
                                                 const stoa_manifest_place *place, uint64_t number,
                                                 stoa_error *err);
void stoa_manifest_log_release(stoa_manifest_log *log);
/// Applies the edits behind those that were read, up to the end or to what is not whole. Those before an
/// error are applied. `cancel` may be NULL.
STOA_MUST_USE stoa_status stoa_manifest_log_read(stoa_manifest_log *log, const stoa_cancel *cancel,
                                                 stoa_manifest_contents *contents, stoa_error *err);

/* A manifest that is written. */
typedef struct stoa_manifest_writer {
    stoa_file *file;
    uint64_t record_count;
    uint64_t size;
} stoa_manifest_writer;

/// Writes manifest `number`: what `state` says and then `edit` (nullable), durably. `CURRENT` stays. On
/// error there is no such manifest, or one that nobody names.
STOA_MUST_USE stoa_status stoa_manifest_writer_create(
    stoa_manifest_writer *writer, const stoa_manifest_place *place, uint64_t number,
    const stoa_manifest_state *state, const stoa_manifest_edit *edit, stoa_error *err);
/// Goes on behind what was read, which is durable then.
STOA_MUST_USE stoa_status stoa_manifest_writer_open(stoa_manifest_writer *writer,
                                                    const stoa_manifest_place *place,
                                                    const stoa_manifest_log *log, stoa_error *err);
/// Adds an edit, durably. On error what the file holds behind the last one is not known, and the writer
/// is closed (but for STOA_LIMIT and STOA_NO_MEMORY before anything was written).
STOA_MUST_USE stoa_status stoa_manifest_writer_add(stoa_manifest_writer *writer,
                                                   const stoa_manifest_place *place,
                                                   uint64_t number, const stoa_manifest_edit *edit,
                                                   stoa_error *err);
void stoa_manifest_writer_close(stoa_manifest_writer *writer);

#endif
