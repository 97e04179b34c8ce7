/* What the files of repair share.
 *
 *     repair.c           the whole: looking, then writing what is new beside the old, then the switch
 *     repair_manifest.c  which tables and files the store has
 *     repair_files.c     SSTables: what can be read of them, and that as new ones
 *     repair_log.c       the log: commits that can be read, and these as SSTables
 *     repair_keep.c      what was damaged, in a folder beside */
#ifndef STOA_LSM_REPAIR_INTERNAL_H
#define STOA_LSM_REPAIR_INTERNAL_H

#include "lsm/manifest_internal.h"
#include "lsm/memtable.h"
#include "lsm/repair.h"
#include "lsm/table_options.h"

#define STOA_REPAIR_FOLDER "lost"

typedef struct stoa_repair_table {
    int64_t id;
    stoa_definition *definition;
    stoa_memtable *memtable; /* commits of the log; NULL: none yet */
} stoa_repair_table;

/* An SSTable that the manifest names. */
typedef struct stoa_repair_file {
    const stoa_repair_table *table;
    const stoa_table_file_info *info; /* as the manifest has it, until that is changed */
    uint64_t number;
    stoa_sst *sst;                    /* NULL: it is missing, or cannot be opened */
    uint8_t *bad;                     /* of each stripe: it cannot be read */
    bool is_missing;
    bool is_damaged;
} stoa_repair_file;

typedef struct stoa_repair {
    const stoa_store_repair_options *options;
    stoa_manifest_place place;
    stoa_arena arena;
    stoa_file *lock;
    uint64_t manifest_max;           /* of the numbers that CURRENT or a file's name has */
    uint64_t file_max;               /* the same of SSTables, and of those that are made */
    stoa_manifest_contents contents; /* what the store has */
    stoa_repair_table *tables;
    int32_t table_count;
    stoa_repair_file *files;
    int64_t file_count;
    stoa_buffer removed;  /* stoa_manifest_removal: files that leave the manifest */
    stoa_buffer added;    /* stoa_manifest_file; keys from the pool */
    stoa_buffer scratch;
    stoa_buffer segments; /* uint64_t: of the log, that are damaged */
    bool is_trying;  /* damage may be what a writer has changed meanwhile: it is counted only */
    bool is_writing; /* damage was told before */
    bool log_is_damaged;
    uint64_t saved_sequence; /* of the last commit that was read; at first of those in files */
    stoa_error gap;          /* damage of the log that is told with the next commit */
    stoa_state_repair_result result;
} stoa_repair;

/// One damage more: tells the caller of it, and clears it.
void stoa_repair_report(stoa_repair *repair, int64_t table_id, stoa_error *damage);
/// NULL: the manifest has no such table.
stoa_repair_table *stoa_repair_find_table(const stoa_repair *repair, int64_t id);
/// A number for a new SSTable.
uint64_t stoa_repair_new_file(void *repair);
/// The name of a file in the store's directory, from the pool.
STOA_MUST_USE stoa_status stoa_repair_uri(const stoa_repair *repair, const char *name, char **out,
                                          stoa_error *err);
/// Adds a file to what the new manifest has; the info is copied.
STOA_MUST_USE stoa_status stoa_repair_add_file(stoa_repair *repair, int64_t table_id,
                                               const stoa_table_file_info *info, stoa_error *err);

/// Finds the manifest to go by, and reads it.
///
/// Errors   STOA_NOT_FOUND  there is no store; STOA_CORRUPT  no manifest is whole
STOA_MUST_USE stoa_status stoa_repair_find_manifest(stoa_repair *repair, stoa_error *err);

/// Opens all files; who looks beside a writer keeps what there is now. Those that cannot be are told.
STOA_MUST_USE stoa_status stoa_repair_open_files(stoa_repair *repair, stoa_error *err);
/// Reads every byte of every file; what is damaged is told.
STOA_MUST_USE stoa_status stoa_repair_verify_files(stoa_repair *repair, stoa_error *err);
/// Writes what can be read of damaged files.
STOA_MUST_USE stoa_status stoa_repair_write_files(stoa_repair *repair, stoa_error *err);
void stoa_repair_close_files(stoa_repair *repair);

/// Reads the log; what is damaged is told.
STOA_MUST_USE stoa_status stoa_repair_look_at_log(stoa_repair *repair, stoa_error *err);
/// Writes the commits of a damaged log as files.
STOA_MUST_USE stoa_status stoa_repair_write_log(stoa_repair *repair, stoa_error *err);

/// Puts damaged files into the folder of what is lost, under their names, durably. They stay in their places.
STOA_MUST_USE stoa_status stoa_repair_keep_all(stoa_repair *repair, stoa_error *err);
/// Once nothing names them: removes damaged files from their places.
void stoa_repair_remove_all(stoa_repair *repair);

#endif
