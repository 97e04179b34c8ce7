/* The files of a log that is written. Each is as long as it will ever be before a record goes into it,
 * and its name is durable: so a sync of records is one of their file.
 *
 *     new file    made under another name, grown, header written, synced; renamed, directory synced, mapped
 *     spare one   first head cleared, header stored in its map, renamed, directory synced
 *
 * A spare file is not synced, which would write all that it holds once more. After a power cut it may
 * have its new name and its old header; then no record of it was synced either. */
#include <inttypes.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "lsm/wal_internal.h"

static uint64_t random_salt(void) {
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) {
        bits = stoa_hash_u64((uint64_t)stoa_clock_monotonic_ns() ^ (uint64_t)getpid() << 32);
    }
    return bits;
}

static stoa_wal_header make_header(const stoa_wal *log, uint64_t number, uint64_t bytes) {
    stoa_wal_header header = {.magic = STOA_WAL_MAGIC,
                              .version = STOA_WAL_VERSION,
                              .number = number,
                              .bytes = bytes,
                              .boot = log->boot,
                              .salt = random_salt()};
    header.crc = stoa_wal_header_crc(&header);
    return header;
}

static void take_header(stoa_wal_segment *segment, const stoa_wal_header *header) {
    segment->number = header->number;
    segment->salt = header->salt;
    segment->seed = header->crc;
}

stoa_status stoa_wal_segment_name(stoa_wal *log, uint64_t number, uint64_t bytes,
                                  stoa_wal_segment **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(
        stoa_pool_allocate_array(log->context.pool, 1, sizeof(stoa_wal_segment), &memory, err));
    *out = memory;
    (*out)->number = number;
    (*out)->bytes = bytes;
    (*out)->references = 1;
    return STOA_OK;
}

void stoa_wal_segment_close(stoa_wal *log, stoa_wal_segment *segment) {
    if (segment != NULL) {
        for (int32_t i = 0; i < STOA_WAL_SYNCS; i++) {
            stoa_file_close(segment->files[i]);
        }
        stoa_pool_free(log->context.pool, segment, sizeof *segment);
    }
}

stoa_status stoa_wal_remove(stoa_wal *log, uint64_t number, stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_wal_uri(log->context.pool, log->directory, number, &uri, err));
    stoa_status status = stoa_vfs_remove(log->file_systems, uri, &log->context, err);
    stoa_pool_free_string(log->context.pool, uri);
    if (status == STOA_NOT_FOUND) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

stoa_status stoa_wal_segment_handle(stoa_wal *log, stoa_wal_segment *segment, int32_t slot,
                                    stoa_error *err) {
    char *uri = NULL;
    if (segment->files[slot] != NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_wal_uri(log->context.pool, log->directory, segment->number, &uri, err));
    const stoa_status status = stoa_vfs_open(log->file_systems, uri, STOA_OPEN_UPDATE,
                                             &log->context, &segment->files[slot], err);
    stoa_pool_free_string(log->context.pool, uri);
    return status;
}

static stoa_status map_segment(stoa_wal *log, stoa_wal_segment *segment, stoa_error *err) {
    void *map = NULL;
    if (segment->map == NULL) {
        STOA_TRY(stoa_wal_segment_handle(log, segment, 0, err));
        STOA_TRY(stoa_file_map_write(segment->files[0], segment->bytes, &map, err));
        segment->map = map;
    }
    return STOA_OK;
}

/* A file under its own name has all of its header. The file system must know how to grow and map files;
 * what it lacks it says by name. */
static stoa_status make_file(stoa_wal *log, const char *temporary, const char *uri,
                             const stoa_wal_header *header, stoa_error *err) {
    stoa_file *file = NULL;
    stoa_status status = STOA_OK;
    /* One that is there was left by somebody who was killed. */
    STOA_CHECK(
        stoa_vfs_open(log->file_systems, temporary, STOA_OPEN_REPLACE, &log->context, &file, err));
    STOA_CHECK(stoa_file_preallocate(file, header->bytes, true, err));
    STOA_CHECK(stoa_file_write(file, header, sizeof *header, err));
    STOA_CHECK(stoa_file_sync(file, err));

done:
    stoa_file_close(file);
    return status != STOA_OK
               ? status
               : stoa_vfs_publish(log->file_systems, temporary, uri, &log->context, err);
}

static stoa_status make_new(stoa_wal *log, uint64_t number, uint64_t bytes, const char *uri,
                            stoa_wal_segment **out, stoa_error *err) {
    const stoa_wal_header header = make_header(log, number, bytes);
    stoa_wal_segment *segment = NULL;
    char *temporary = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(
        stoa_vfs_join(log->context.pool, log->directory, STOA_WAL_NEW_NAME, &temporary, err));
    STOA_CHECK(stoa_wal_segment_name(log, number, bytes, &segment, err));
    STOA_CHECK(make_file(log, temporary, uri, &header, err));
    take_header(segment, &header);
    STOA_CHECK(map_segment(log, segment, err));
    stoa_wal_count(&log->segments_made, 1);
    *out = segment;

done:
    if (status != STOA_OK) {
        stoa_wal_segment_close(log, segment);
        if (temporary != NULL) { /* half of a file would take its space */
            STOA_IGNORE(stoa_vfs_remove(log->file_systems, temporary, &log->context, NULL));
        }
    }
    stoa_pool_free_string(log->context.pool, temporary);
    return status;
}

/* Once it has its new name nothing fails any more. */
static stoa_status use_again(stoa_wal *log, stoa_wal_segment *spare, uint64_t number,
                             const char *uri, stoa_error *err) {
    const stoa_wal_header header = make_header(log, number, spare->bytes);
    char *from = NULL;
    STOA_TRY(map_segment(log, spare, err));
    STOA_TRY(stoa_wal_uri(log->context.pool, log->directory, spare->number, &from, err));
    memset(spare->map + sizeof header, 0, sizeof(uint64_t));
    memcpy(spare->map, &header, sizeof header);
    stoa_status status = stoa_vfs_rename(log->file_systems, from, uri, &log->context, err);
    if (status == STOA_OK) {
        spare->number = number; /* also when the next call fails: it has moved */
        status = stoa_vfs_sync_directory(log->file_systems, log->directory, &log->context, err);
    }
    stoa_pool_free_string(log->context.pool, from);
    if (status == STOA_OK) {
        spare->touched = 0;
        take_header(spare, &header);
        stoa_wal_count(&log->segments_reused, 1);
    }
    return status;
}

/* Not the whole of a segment at once: what is made ready counts as changed, and the next sync writes it. */
void stoa_wal_segment_touch(const stoa_wal_segment *segment, uint64_t from, uint64_t to) {
    to = to < segment->bytes ? to : segment->bytes;
    if (from < to) {
        stoa_file_advise(segment->files[0], from, to - from, STOA_ADVICE_WILL_NEED);
    }
}

/* Where the file system has large pages: one fault instead of 512, and a third of the time in all. */
static void ask_for_large_pages(stoa_wal_segment *segment) {
    segment->has_large_pages = segment->bytes >= STOA_WAL_LARGE_PAGE;
    if (segment->has_large_pages) {
        stoa_file_advise(segment->files[0], 0, segment->bytes, STOA_ADVICE_SEQUENTIAL);
    }
}

stoa_status stoa_wal_segment_make(stoa_wal *log, uint64_t number, uint64_t bytes,
                                  stoa_wal_segment *spare, bool large_pages,
                                  stoa_wal_segment **out, stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_wal_uri(log->context.pool, log->directory, number, &uri, err));
    stoa_status status;
    if (spare != NULL) {
        status = use_again(log, spare, number, uri, err);
        *out = status == STOA_OK ? spare : NULL;
    } else {
        status = make_new(log, number, bytes, uri, out, err);
        if (status == STOA_OK && large_pages) {
            ask_for_large_pages(*out);
        }
    }
    stoa_pool_free_string(log->context.pool, uri);
    return status;
}

static stoa_status make_longer(stoa_wal *log, const stoa_wal_reader *reader, stoa_error *err) {
    stoa_file *file = NULL;
    if (reader->file_bytes >= reader->header.bytes) {
        return STOA_OK;
    }
    STOA_TRY(stoa_vfs_open(log->file_systems, stoa_file_uri(reader->file), STOA_OPEN_APPEND,
                           &log->context, &file, err));
    const stoa_status status = stoa_file_preallocate(file, reader->header.bytes, true, err);
    stoa_file_close(file);
    return status;
}

stoa_status stoa_wal_segment_resume(stoa_wal *log, const stoa_wal_reader *reader,
                                    stoa_wal_segment **out, stoa_error *err) {
    stoa_wal_segment *segment = NULL;
    STOA_TRY(make_longer(log, reader, err));
    STOA_TRY(stoa_wal_segment_name(log, reader->number, reader->header.bytes, &segment, err));
    take_header(segment, &reader->header);
    const stoa_status status = map_segment(log, segment, err);
    if (status != STOA_OK) {
        stoa_wal_segment_close(log, segment);
        return status;
    }
    *out = segment;
    return STOA_OK;
}

/* As a record without a payload; there is always room for it. Who reads sees it whole or not at all. */
void stoa_wal_segment_end(stoa_wal *log, stoa_wal_segment *segment, uint64_t offset) {
    stoa_wal_head head = {.size = STOA_WAL_END,
                          .place = offset ^ segment->salt,
                          .durable = atomic_load_explicit(&log->durable, memory_order_relaxed)};
    uint8_t *at = segment->map + offset;
    STOA_ASSERT(offset + sizeof head <= segment->bytes);
    head.crc = stoa_wal_crc(segment->seed, &head, NULL, 0);
    memcpy(at + sizeof(uint64_t), &head.place, sizeof head - sizeof(uint64_t));
    atomic_store_explicit((_Atomic uint64_t *)(void *)at, stoa_load_u64(&head),
                          memory_order_release);
}
