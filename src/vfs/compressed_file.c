/* The reader of compressed files.
 *
 * A file has up to STOA_CURSORS_MAX cursors (compressed_cursor.c). A read takes the one that stands
 * closest before its offset, or one that starts from a point of the index where that is closer, and
 * nobody else uses it meanwhile: one reader goes through a file with one cursor, and threads that
 * read different parts have each their own.
 *
 * Lock     `lock` guards the index, the list of cursors and what is known of the size. It is not held
 *          while bytes are read or unpacked. Cursors and points are allocated under it: a holder
 *          asked for memory back must not read the file.
 * Errors   A cursor that met one is broken and starts from a point the next time, so that what was
 *          wrong for the moment only (a network) can be tried again. */
#include <string.h>

#include "base/error.h"
#include "vfs/compressed_file.h"

enum { SKIP_BYTES_MAX = 1 << 20 }; /* that are unpacked for nothing before a table is looked for */

/* Reads what the file says of its own frames. */
static stoa_status read_table(const struct compressed_file *file, struct unpack_index *out,
                              uint64_t *out_size, stoa_error *err) {
    struct unpacker *unpacker = NULL;
    uint64_t packed_size = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_unpacker_create(file->context.pool, file->packing, &unpacker, err));
    if (unpacker->kind->load == NULL || file->cursor_limit == 1) {
        status = stoa_fail(err, STOA_NOT_FOUND, "there is no table");
        goto done;
    }
    STOA_CHECK(stoa_file_size(file->packed, &packed_size, err));
    STOA_CHECK(unpacker->kind->load(unpacker, &file->context, file->packed, packed_size, out,
                                    out_size, err));

done:
    stoa_unpacker_close(unpacker);
    return status;
}

/* Once, for whoever comes first; the others wait. Without a table, or the memory for it, the file is
 * read without. With the lock held, which is given up meanwhile. */
static stoa_status find_table(struct compressed_file *file, stoa_error *err) {
    struct unpack_index index;
    uint64_t size = 0;
    while (file->table == TABLE_IS_READ) {
        (void)pthread_cond_wait(&file->idle, &file->lock);
    }
    if (file->table == TABLE_KNOWN) {
        return STOA_OK;
    }
    file->table = TABLE_IS_READ;
    (void)pthread_mutex_unlock(&file->lock);
    stoa_unpack_index_init(&index, file->context.pool);
    stoa_status status = read_table(file, &index, &size, err);
    (void)pthread_mutex_lock(&file->lock);
    bool is_final = status != STOA_IO && status != STOA_CANCELLED;
    file->table = is_final ? TABLE_KNOWN : TABLE_UNKNOWN;
    if (status == STOA_OK && (!file->has_size || file->size == size)) {
        struct unpack_index old = file->index;
        file->index = index;
        index = old;
        file->has_table = true;
        file->has_size = true;
        file->size = size;
    }
    (void)pthread_cond_broadcast(&file->idle);
    stoa_unpack_index_release(&index);
    if (is_final && status != STOA_OK) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

/* The idle cursor that holds `offset`, or stands closest before it. With the lock held. */
static struct stoa_cursor *closest_cursor(const struct compressed_file *file, uint64_t offset) {
    struct stoa_cursor *best = NULL;
    for (size_t i = 0; i < file->cursor_count; i++) {
        struct stoa_cursor *cursor = file->cursors[i];
        if (cursor->is_busy || cursor->is_broken) {
            continue;
        }
        if (stoa_cursor_holds(cursor, offset)) {
            return cursor;
        }
        if (cursor->plain <= offset && (best == NULL || cursor->plain > best->plain)) {
            best = cursor;
        }
    }
    return best;
}

/* The idle cursor that is missed least: a broken one, or the one not used for longest. With the lock
 * held. */
static struct stoa_cursor *oldest_cursor(const struct compressed_file *file) {
    struct stoa_cursor *oldest = NULL;
    for (size_t i = 0; i < file->cursor_count; i++) {
        struct stoa_cursor *cursor = file->cursors[i];
        bool is_older = oldest == NULL || cursor->is_broken ||
                        (!oldest->is_broken && cursor->last_use < oldest->last_use);
        if (!cursor->is_busy && is_older) {
            oldest = cursor;
        }
    }
    return oldest;
}

/* A cursor that is to be moved: a new one while there may be more, else the oldest; NULL when all are
 * busy. With the lock held. */
static stoa_status spare_cursor(struct compressed_file *file, struct stoa_cursor **out,
                                stoa_error *err) {
    struct stoa_cursor *oldest = oldest_cursor(file);
    *out = oldest;
    if (file->cursor_count == file->cursor_limit || (oldest != NULL && oldest->is_broken)) {
        return STOA_OK;
    }
    stoa_status status = stoa_cursor_create(file, out, err);
    if (status == STOA_OK) {
        file->cursors[file->cursor_count++] = *out;
    } else if (oldest != NULL) {
        /* There is no memory for one more: go on with fewer. */
        stoa_error_clear(err);
        *out = oldest;
        status = STOA_OK;
    }
    return status;
}

/* Takes a cursor for a read at `offset` and moves it there if need be; NULL when that is behind the
 * end. With the lock held, which is given up while all are busy. */
static stoa_status take_cursor(struct compressed_file *file, uint64_t offset,
                               struct stoa_cursor **out, stoa_error *err) {
    for (;;) {
        struct stoa_cursor *cursor = closest_cursor(file, offset);
        uint64_t before = cursor == NULL ? 0 : cursor->plain;
        if (file->table != TABLE_KNOWN && offset > before && offset - before > SKIP_BYTES_MAX) {
            STOA_TRY(find_table(file, err));
            if (file->has_size && offset >= file->size) {
                *out = NULL;
                return STOA_OK;
            }
            cursor = closest_cursor(file, offset);
        }
        struct unpack_point point = stoa_unpack_index_find(&file->index, offset);
        if (cursor == NULL || (!stoa_cursor_holds(cursor, offset) && cursor->plain < point.plain)) {
            STOA_TRY(spare_cursor(file, &cursor, err));
            if (cursor != NULL) {
                STOA_TRY(stoa_cursor_start(cursor, &point, err));
            }
        }
        if (cursor != NULL) {
            cursor->is_busy = true;
            cursor->last_use = ++file->uses;
            *out = cursor;
            return STOA_OK;
        }
        (void)pthread_cond_wait(&file->idle, &file->lock);
    }
}

static stoa_status compressed_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                      size_t *out_size, stoa_error *err) {
    struct compressed_file *file = state;
    struct stoa_cursor *cursor = NULL;
    *out_size = 0;
    if (size == 0) {
        return STOA_OK;
    }
    (void)pthread_mutex_lock(&file->lock);
    bool is_behind = file->has_size && offset >= file->size;
    stoa_status status = is_behind ? STOA_OK : take_cursor(file, offset, &cursor, err);
    (void)pthread_mutex_unlock(&file->lock);
    if (cursor == NULL) {
        return status;
    }
    status = stoa_cursor_read(file, cursor, offset, buffer, size, out_size, err);
    (void)pthread_mutex_lock(&file->lock);
    cursor->is_broken = status != STOA_OK;
    cursor->is_busy = false;
    (void)pthread_cond_broadcast(&file->idle);
    (void)pthread_mutex_unlock(&file->lock);
    return status;
}

/* The table says it; without one, going to the end finds it, and fills the index on the way. */
static stoa_status compressed_size(void *state, uint64_t *out, stoa_error *err) {
    struct compressed_file *file = state;
    uint8_t byte;
    size_t got = 0;
    (void)pthread_mutex_lock(&file->lock);
    stoa_status status = file->has_size ? STOA_OK : find_table(file, err);
    bool has_size = file->has_size;
    (void)pthread_mutex_unlock(&file->lock);
    STOA_TRY(status);
    if (!has_size) {
        STOA_TRY(compressed_read_at(file, INT64_MAX, &byte, 1, &got, err));
    }
    (void)pthread_mutex_lock(&file->lock);
    *out = file->size;
    (void)pthread_mutex_unlock(&file->lock);
    return STOA_OK;
}

static void compressed_close(void *state) {
    struct compressed_file *file = state;
    stoa_pool *pool = file->context.pool;
    for (size_t i = 0; i < file->cursor_count; i++) {
        stoa_cursor_close(file, file->cursors[i]);
    }
    stoa_unpack_index_release(&file->index);
    stoa_file_close(file->packed);
    (void)pthread_cond_destroy(&file->idle);
    (void)pthread_mutex_destroy(&file->lock);
    stoa_pool_free(pool, file, sizeof *file);
}

/* A pipe that is not compressed: its first bytes were taken to see that. */
static stoa_status plain_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                 size_t *out_size, stoa_error *err) {
    return stoa_packed_read(state, offset, buffer, size, out_size, err);
}

static stoa_status read_head(struct compressed_file *file, stoa_error *err) {
    STOA_TRY(
        stoa_file_read_some(file->packed, 0, file->head, sizeof file->head, &file->head_size, err));
    file->packing = stoa_packing_recognise(file->head, file->head_size);
    return STOA_OK;
}

static stoa_status make_file(const stoa_context *context, stoa_file *packed,
                             struct compressed_file **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(
        stoa_pool_allocate_array(context->pool, 1, sizeof(struct compressed_file), &memory, err));
    struct compressed_file *file = memory;
    file->context = *context;
    file->packed = packed;
    file->cursor_limit = packed->operations->size == NULL ? 1 : STOA_CURSORS_MAX;
    stoa_unpack_index_init(&file->index, context->pool);
    (void)pthread_mutex_init(&file->lock, NULL);
    (void)pthread_cond_init(&file->idle, NULL);
    *out = file;
    return STOA_OK;
}

stoa_status stoa_compressed_open(const stoa_context *context, stoa_file *packed,
                                 stoa_packing *out_packing, stoa_file **out, stoa_error *err) {
    static const stoa_file_operations unpacking = {
        .size = compressed_size,
        .read_at = compressed_read_at,
        .close = compressed_close,
    };
    static const stoa_file_operations unpacking_in_order = {
        .read_at = compressed_read_at,
        .close = compressed_close,
    };
    static const stoa_file_operations plain = {
        .read_at = plain_read_at,
        .close = compressed_close,
    };
    struct compressed_file *file = NULL;
    bool is_pipe = packed->operations->size == NULL;
    stoa_status status = STOA_OK;
    *out_packing = STOA_PACKING_NONE;
    *out = NULL;
    STOA_CHECK(make_file(context, packed, &file, err));
    STOA_CHECK(read_head(file, err));
    *out_packing = file->packing;
    if (file->packing == STOA_PACKING_NONE && !is_pipe) {
        file->packed = NULL;
        *out = packed;
        goto done;
    }
    STOA_CHECK(stoa_file_create(context->pool, packed->uri,
                                file->packing == STOA_PACKING_NONE ? &plain
                                : is_pipe                          ? &unpacking_in_order
                                                                   : &unpacking,
                                file, out, err));
    file = NULL;

done:
    if (file != NULL) {
        compressed_close(file);
    } else if (*out == NULL) {
        stoa_file_close(packed);
    }
    return status;
}
