/* What the files of the log share.
 *
 *     wal.c           appending, changing segments, giving them back
 *     wal_sync.c      group commit
 *     wal_segment.c   the files of a log that is written
 *     wal_open.c      what is there, whether it is whole, and following
 *     wal_read.c      one segment, read */
#ifndef STOA_LSM_WAL_INTERNAL_H
#define STOA_LSM_WAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "lsm/wal_read.h"

enum {
    STOA_WAL_SYNCS = 2,
    STOA_WAL_SPARES = 8,
    STOA_WAL_TOUCHED_BYTES = 8 << 20, /* pages are made ready so far ahead */
    STOA_WAL_LARGE_PAGE = 2 << 20
};

/* A file of the log. `files` are handles to update it: each of the syncs that may be in flight has its
 * own, since the system tells of a failed write-back once a handle. */
typedef struct stoa_wal_segment {
    struct stoa_wal_segment *next;
    uint64_t number;
    uint64_t bytes;
    int32_t references;               /* the list's, and of syncs; under `segments_lock` */
    stoa_file *files[STOA_WAL_SYNCS]; /* NULL: not needed yet; opened by who has that sync */
    uint8_t *map;                     /* through files[0]; NULL: not mapped */
    uint64_t touched;                 /* pages before it were made ready; under `segments_lock` */
    uint64_t syncs_before;            /* of the log, when this became `current` */
    bool has_large_pages;             /* a sync writes all of each that was stored into */
    uint64_t salt;
    uint32_t seed; /* the checksum of its header */
} stoa_wal_segment;

typedef struct stoa_wal_slot {
    bool is_busy;
    uint64_t target; /* packed */
    int32_t members; /* who waits for it */
} stoa_wal_slot;

struct stoa_wal {
    stoa_context context;
    stoa_fs_registry *file_systems;
    char *directory;
    uint64_t segment_bytes;
    uint64_t boot; /* 0: not known */
    bool read_only;

    /* Of who appends; `end` is read by everybody: the packed end of what was committed last, stored
     * (release) after the record's head, pairs with loads in wal_sync.c. */
    uint64_t offset;   /* of the next record in `current` */
    uint64_t reserved; /* bytes of the record that is open, its head included */
    uint32_t size;     /* of its payload */
    bool is_full;      /* the next record begins another segment */
    bool is_ended;     /* `current` says that it has no more */
    _Atomic uint64_t end;

    pthread_mutex_t segments_lock;
    pthread_cond_t prepared;
    stoa_wal_segment *segments; /* those in use, by number */
    stoa_wal_segment **segments_tail;
    stoa_wal_segment
        *current; /* the last of them; NULL: none takes records. Changed by who appends */
    stoa_wal_segment *ready; /* number `next_number`, for what comes then */
    stoa_wal_segment *spares[STOA_WAL_SPARES];
    int32_t spare_count;
    uint64_t next_number;
    uint64_t released; /* below it nothing is needed */
    bool is_preparing;
    _Atomic uint64_t prepare_at; /* packed: from there on stoa_wal_prepare has something to do */

    pthread_mutex_t
        sync_lock; /* may be held while `segments_lock` is taken, not the other way round */
    pthread_cond_t synced;
    stoa_wal_slot slots[STOA_WAL_SYNCS];
    bool is_gathering;        /* somebody is about to begin a sync */
    int32_t uncovered;        /* who waits and is a member of no sync yet */
    int32_t last_members;     /* of the sync that ended last */
    int64_t last_ns;          /* how long it took */
    stoa_error failure;       /* of the sync that failed */
    _Atomic bool has_failed;  /* changed under `sync_lock`, never back */
    _Atomic uint64_t durable; /* packed; changed under `sync_lock`, grows */

    stoa_wal_reader reader; /* read-only: where following goes on */

    _Atomic uint64_t records, bytes, syncs, sync_ns, segments_made, segments_reused, waits;
};

/* Counters that one thread at a time adds to. */
static inline void stoa_wal_count(_Atomic uint64_t *counter, uint64_t more) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

/* ---- wal_segment.c: files; none of these takes a lock, all may wait for the disk ------------------ */

/// A segment that takes records: a spare one made new, or (`spare` NULL) a new file. Takes `spare` when
/// it succeeds. The name is durable. A new one has large pages where they are wanted; a spare one has
/// those that it had.
STOA_MUST_USE stoa_status stoa_wal_segment_make(stoa_wal *log, uint64_t number, uint64_t bytes,
                                                stoa_wal_segment *spare, bool large_pages,
                                                stoa_wal_segment **out, stoa_error *err);
/// Makes the pages of a part ready, so that stores into it do not wait.
void stoa_wal_segment_touch(const stoa_wal_segment *segment, uint64_t from, uint64_t to);
/// One that is there, not opened yet.
STOA_MUST_USE stoa_status stoa_wal_segment_name(stoa_wal *log, uint64_t number, uint64_t bytes,
                                                stoa_wal_segment **out, stoa_error *err);
/// The same, mapped, to go on writing it; made as long as its header says.
STOA_MUST_USE stoa_status stoa_wal_segment_resume(stoa_wal *log, const stoa_wal_reader *reader,
                                                  stoa_wal_segment **out, stoa_error *err);
/// The handle of sync `slot`.
STOA_MUST_USE stoa_status stoa_wal_segment_handle(stoa_wal *log, stoa_wal_segment *segment,
                                                  int32_t slot, stoa_error *err);
/// Says that the segment ends at `offset`.
void stoa_wal_segment_end(stoa_wal *log, stoa_wal_segment *segment, uint64_t offset);
void stoa_wal_segment_close(stoa_wal *log, stoa_wal_segment *segment);
STOA_MUST_USE stoa_status stoa_wal_remove(stoa_wal *log, uint64_t number, stoa_error *err);

/* ---- wal_open.c ------------------------------------------------------------------------------- */

/* Reads what is there, and (to write) leaves the log ready for the next record. */
STOA_MUST_USE stoa_status stoa_wal_recover(stoa_wal *log, uint64_t first_segment,
                                           stoa_wal_replay replay, void *user, stoa_error *err);

/* ---- wal_sync.c ------------------------------------------------------------------------------- */

/* STOA_IO with what failed, when a sync has. */
STOA_MUST_USE stoa_status stoa_wal_check_failure(stoa_wal *log, stoa_error *err);

/* ---- wal.c ------------------------------------------------------------------------------------ */

/* Says when stoa_wal_prepare is due, after what it depends on has changed; with `segments_lock` held. */
void stoa_wal_plan_prepare(stoa_wal *log);
/* One reference less; the last one keeps the file for later, or removes it. */
STOA_MUST_USE stoa_status stoa_wal_unreference(stoa_wal *log, stoa_wal_segment *segment,
                                               stoa_error *err);

#endif
