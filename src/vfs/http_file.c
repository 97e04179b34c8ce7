/* Open files of http: reads become ranges.
 *
 * A large read is cut into ranges that come side by side, straight into the reader's buffer. Small
 * reads that follow each other come out of a window that is read ahead, twice as far each time; a
 * read somewhere else fetches what it asks for and no more. Ranges of one vectored read that lie
 * close together are one request. */
#include "vfs/http_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"

enum {
    AHEAD_BYTES_MIN = 64 << 10,
    AHEAD_BYTES_MAX = 4 << 20,
    PART_BYTES = 4 << 20, /* a longer read is cut into parts of at least so much */
    PARTS_MAX = 16,
    GAP_BYTES = 32 << 10, /* reading over so much costs less than another request */
    MERGED_BYTES_MAX = 8 << 20
};

stoa_status stoa_http_file_look(struct http_file *file, struct http_pin *out_pin,
                                char **out_start_url, stoa_error *err) {
    pthread_mutex_lock(&file->lock);
    *out_pin = file->pin;
    stoa_status status = stoa_pool_copy_string(file->context.pool, file->start_url, out_start_url,
                                               err);
    pthread_mutex_unlock(&file->lock);
    return status;
}

stoa_status stoa_http_file_check(struct http_file *file, const struct http_pin *seen,
                                 stoa_error *err) {
    pthread_mutex_lock(&file->lock);
    stoa_status status = stoa_http_pin_check(&file->pin, seen, err);
    pthread_mutex_unlock(&file->lock);
    return status;
}

void stoa_http_file_forget_redirect(struct http_file *file) {
    pthread_mutex_lock(&file->lock);
    stoa_pool_free_string(file->context.pool, file->start_url);
    file->start_url = NULL;
    pthread_mutex_unlock(&file->lock);
}

void stoa_http_file_learn_redirect(struct http_file *file, stoa_http_response *response) {
    pthread_mutex_lock(&file->lock);
    if (file->start_url == NULL) {
        file->start_url = response->final_url;
        response->final_url = NULL;
    }
    pthread_mutex_unlock(&file->lock);
}

/* What is known now: `out_size` only when it is. */
static enum http_mode look_mode(struct http_file *file, bool *out_has_size, uint64_t *out_size) {
    pthread_mutex_lock(&file->lock);
    enum http_mode mode = file->mode;
    *out_has_size = file->pin.has_size;
    *out_size = file->pin.size;
    pthread_mutex_unlock(&file->lock);
    return mode;
}

/* Fetches, and notes what that says of the server. One that had ranges and now sends the whole file
 * is none to go on with. */
static stoa_status fetch(struct http_file *file, struct http_part *parts, size_t count,
                         bool *out_in_order, stoa_error *err) {
    bool has_no_ranges = false;
    *out_in_order = false;
    STOA_TRY(stoa_http_fetch(file, parts, count, &has_no_ranges, err));
    pthread_mutex_lock(&file->lock);
    bool had_ranges = file->mode == HTTP_MODE_RANGES;
    if (file->mode == HTTP_MODE_UNKNOWN) {
        file->mode = has_no_ranges ? HTTP_MODE_IN_ORDER : HTTP_MODE_RANGES;
    }
    pthread_mutex_unlock(&file->lock);
    if (has_no_ranges && had_ranges) {
        return stoa_fail(err, STOA_IO, "the server answered ranges before and does not now");
    }
    *out_in_order = has_no_ranges;
    return STOA_OK;
}

/* One read, straight into the buffer, in as many parts as are worth a request. */
static stoa_status fetch_direct(struct http_file *file, uint64_t offset, uint8_t *buffer,
                                size_t size, bool *out_in_order, stoa_error *err) {
    struct http_part parts[PARTS_MAX];
    size_t count = 0;
    size_t step = size / PARTS_MAX + 1;
    step = step > PART_BYTES ? step : PART_BYTES;
    for (size_t done = 0; done < size; done += step) {
        size_t part = size - done < step ? size - done : step;
        parts[count++] = (struct http_part){offset + done, part, buffer + done, 0};
    }
    return fetch(file, parts, count, out_in_order, err);
}

/* The window -----------------------------------------------------------------------------------*/

/* Copies what the window has of a read; 0: nothing of its beginning. */
static size_t window_copy(struct http_window *window, uint64_t offset, uint8_t *buffer,
                          size_t size) {
    if (window->is_busy || offset < window->begin || offset >= window->end) {
        return 0;
    }
    uint64_t left = window->end - offset;
    size_t part = size < left ? size : (size_t)left;
    memcpy(buffer, window->bytes + (size_t)(offset - window->begin), part);
    window->next = offset + part;
    return part;
}

/* How far a read that the window does not have is to read ahead; 0: not at all. The window is the
 * caller's then until it is given back. */
static size_t window_claim(struct http_file *file, uint64_t offset, size_t size, uint64_t end) {
    struct http_window *window = &file->window;
    bool in_order = offset == window->next;
    window->next = offset + size;
    window->ahead = !in_order                             ? AHEAD_BYTES_MIN / 2
                    : window->ahead < AHEAD_BYTES_MAX / 2 ? window->ahead * 2
                                                          : AHEAD_BYTES_MAX;
    if (!in_order || window->is_busy || size >= window->ahead) {
        return 0;
    }
    window->is_busy = true;
    window->begin = window->end = 0;
    return end - offset < window->ahead ? (size_t)(end - offset) : window->ahead;
}

/* Memory for `size` bytes; a pool that has none for reading ahead gives what it has. */
static bool window_reserve(struct http_file *file, size_t size) {
    struct http_window *window = &file->window;
    void *memory = NULL;
    if (window->capacity >= size) {
        return true;
    }
    if (window->bytes != NULL) {
        stoa_pool_free(file->context.pool, window->bytes, window->capacity);
        window->bytes = NULL;
        window->capacity = 0;
    }
    if (stoa_pool_allocate(file->context.pool, size, &memory, NULL) != STOA_OK) {
        return false;
    }
    window->bytes = memory;
    window->capacity = size;
    return true;
}

static void window_give(struct http_file *file, uint64_t begin, size_t size) {
    pthread_mutex_lock(&file->lock);
    file->window.begin = begin;
    file->window.end = begin + size;
    file->window.is_busy = false;
    pthread_mutex_unlock(&file->lock);
}

/* A read through the window, which this thread has claimed. */
static stoa_status read_ahead(struct http_file *file, uint64_t offset, uint8_t *buffer, size_t size,
                              size_t ahead, bool *out_in_order, stoa_error *err) {
    if (!window_reserve(file, ahead)) {
        window_give(file, 0, 0);
        return fetch_direct(file, offset, buffer, size, out_in_order, err);
    }
    stoa_status status = fetch_direct(file, offset, file->window.bytes, ahead, out_in_order, err);
    bool is_filled = status == STOA_OK && !*out_in_order;
    if (is_filled) {
        memcpy(buffer, file->window.bytes, size);
    }
    window_give(file, offset, is_filled ? ahead : 0);
    return status;
}

/* Reading ----------------------------------------------------------------------------------------*/

static stoa_status read_range(struct http_file *file, uint64_t offset, uint8_t *buffer, size_t size,
                              uint64_t end, size_t *out_size, bool *out_in_order, stoa_error *err) {
    pthread_mutex_lock(&file->lock);
    *out_size = window_copy(&file->window, offset, buffer, size);
    size_t ahead = *out_size > 0 ? 0 : window_claim(file, offset, size, end);
    pthread_mutex_unlock(&file->lock);
    if (*out_size > 0) {
        return STOA_OK;
    }
    stoa_status status = ahead > 0
                             ? read_ahead(file, offset, buffer, size, ahead, out_in_order, err)
                             : fetch_direct(file, offset, buffer, size, out_in_order, err);
    *out_size = status == STOA_OK && !*out_in_order ? size : 0;
    return status;
}

static stoa_status http_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                size_t *out_size, stoa_error *err) {
    struct http_file *file = state;
    bool has_size = false, in_order = false;
    uint64_t end = 0;
    enum http_mode mode = look_mode(file, &has_size, &end);
    *out_size = 0;
    if (size == 0 || (has_size && offset >= end)) {
        return STOA_OK;
    }
    if (has_size && size > end - offset) {
        size = (size_t)(end - offset);
    }
    if (mode != HTTP_MODE_IN_ORDER) {
        STOA_TRY(read_range(file, offset, buffer, size, end, out_size, &in_order, err));
        if (!in_order) {
            return STOA_OK;
        }
    }
    return stoa_http_inorder_read(file, offset, buffer, size, out_size, err);
}

static stoa_status http_size(void *state, uint64_t *out, stoa_error *err) {
    struct http_file *file = state;
    bool has_size = false;
    (void)look_mode(file, &has_size, out);
    return has_size ? STOA_OK : stoa_http_inorder_size(file, out, err);
}

/* Vectored reads ---------------------------------------------------------------------------------*/

/* Ranges in order of their offsets that one request brings. */
struct group {
    size_t first, count; /* of the sorted ranges */
    uint64_t begin, end;
    uint8_t *scratch; /* NULL: one range, straight into its buffer */
};

static int compare_ranges(const void *a, const void *b) {
    const stoa_read_range *const *left = a, *const *right = b;
    return ((*left)->offset > (*right)->offset) - ((*left)->offset < (*right)->offset);
}

struct vector {
    struct http_file *file;
    const stoa_read_range **sorted;
    struct group *groups;
    struct http_part *parts;
    size_t count; /* of ranges, and room of each array */
    size_t group_count;
    size_t bytes; /* of the memory of all arrays */
};

static stoa_status vector_open(struct vector *vector, struct http_file *file,
                               const stoa_read_range *ranges, size_t count, stoa_error *err) {
    size_t each = sizeof *vector->sorted + sizeof *vector->groups + sizeof *vector->parts;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(file->context.pool, count, each, &memory, err));
    *vector = (struct vector){.file = file, .bytes = count * each};
    vector->groups = memory;
    vector->parts = (struct http_part *)(void *)(vector->groups + count);
    vector->sorted = (const stoa_read_range **)(void *)(vector->parts + count);
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].size > 0) {
            vector->sorted[vector->count++] = &ranges[i];
        }
    }
    qsort(vector->sorted, vector->count, sizeof *vector->sorted, compare_ranges);
    return STOA_OK;
}

static void vector_close(struct vector *vector) {
    stoa_pool *pool = vector->file->context.pool;
    for (size_t i = 0; i < vector->group_count; i++) {
        const struct group *group = &vector->groups[i];
        stoa_pool_free(pool, group->scratch, (size_t)(group->end - group->begin));
    }
    stoa_pool_free(pool, vector->groups, vector->bytes);
}

static void vector_group(struct vector *vector) {
    for (size_t i = 0; i < vector->count; i++) {
        const stoa_read_range *range = vector->sorted[i];
        uint64_t end = range->offset + range->size;
        struct group *last = vector->group_count > 0 ? &vector->groups[vector->group_count - 1]
                                                     : NULL;
        bool joins = last != NULL && range->offset <= last->end + GAP_BYTES &&
                     end - last->begin <= MERGED_BYTES_MAX;
        if (joins) {
            last->end = end > last->end ? end : last->end;
            last->count++;
        } else {
            vector->groups[vector->group_count++] = (struct group){i, 1, range->offset, end, NULL};
        }
    }
}

static stoa_status vector_fetch(struct vector *vector, bool *out_in_order, stoa_error *err) {
    stoa_pool *pool = vector->file->context.pool;
    for (size_t i = 0; i < vector->group_count; i++) {
        struct group *group = &vector->groups[i];
        size_t size = (size_t)(group->end - group->begin);
        void *memory = vector->sorted[group->first]->buffer;
        if (group->count > 1) {
            STOA_TRY(stoa_pool_allocate(pool, size, &memory, err));
            group->scratch = memory;
        }
        vector->parts[i] = (struct http_part){group->begin, size, memory, 0};
    }
    return fetch(vector->file, vector->parts, vector->group_count, out_in_order, err);
}

static void vector_scatter(const struct vector *vector) {
    for (size_t g = 0; g < vector->group_count; g++) {
        const struct group *group = &vector->groups[g];
        for (size_t i = 0; group->scratch != NULL && i < group->count; i++) {
            const stoa_read_range *range = vector->sorted[group->first + i];
            memcpy(range->buffer, group->scratch + (size_t)(range->offset - group->begin),
                   range->size);
        }
    }
}

/* One range after another: where there are no ranges to merge, or one so large that it is cut. */
static stoa_status read_each(struct http_file *file, const stoa_read_range *ranges, size_t count,
                             stoa_error *err) {
    for (size_t i = 0; i < count; i++) {
        for (size_t done = 0; done < ranges[i].size;) {
            size_t got = 0;
            STOA_TRY(http_read_at(file, ranges[i].offset + done, (uint8_t *)ranges[i].buffer + done,
                                  ranges[i].size - done, &got, err));
            if (got == 0) {
                return stoa_fail(err, STOA_CORRUPT,
                                 "expected %zu bytes at byte %" PRIu64 " but the file ends after "
                                 "%zu",
                                 ranges[i].size, ranges[i].offset, done);
            }
            done += got;
        }
    }
    return STOA_OK;
}

static bool is_worth_merging(struct http_file *file, const stoa_read_range *ranges, size_t count) {
    bool has_size = false;
    uint64_t end = 0;
    if (look_mode(file, &has_size, &end) == HTTP_MODE_IN_ORDER || !has_size || count < 2) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].size > MERGED_BYTES_MAX || ranges[i].size > end ||
            ranges[i].offset > end - ranges[i].size) {
            return false;
        }
    }
    return true;
}

static stoa_status http_read_vector(void *state, const stoa_read_range *ranges, size_t count,
                                    stoa_error *err) {
    struct http_file *file = state;
    struct vector vector;
    bool in_order = false;
    if (!is_worth_merging(file, ranges, count)) {
        return read_each(file, ranges, count, err);
    }
    STOA_TRY(vector_open(&vector, file, ranges, count, err));
    vector_group(&vector);
    stoa_status status = vector_fetch(&vector, &in_order, err);
    if (status == STOA_OK && !in_order) {
        vector_scatter(&vector);
    }
    vector_close(&vector);
    return status == STOA_OK && in_order ? read_each(file, ranges, count, err) : status;
}

/* Opening and closing ----------------------------------------------------------------------------*/

static void http_close(void *state) {
    struct http_file *file = state;
    stoa_pool *pool = file->context.pool;
    stoa_http_stream_close(file->inorder.stream);
    stoa_buffer_release(&file->inorder.held);
    stoa_pool_free(pool, file->window.bytes, file->window.capacity);
    stoa_pool_free_string(pool, file->start_url);
    stoa_http_target_release(&file->target);
    stoa_cancel_close(file->context.cancel);
    (void)pthread_mutex_destroy(&file->inorder.lock);
    (void)pthread_mutex_destroy(&file->lock);
    stoa_pool_free(pool, file, sizeof *file);
}

static bool begins_in_order(const struct http_probe *probe) {
    return probe->has_no_ranges || !probe->pin.has_size;
}

stoa_status stoa_http_file_open(struct http_target *target, struct http_probe *probe,
                                const stoa_context *context, stoa_file **out, stoa_error *err) {
    static const stoa_file_operations operations = {
        .size = http_size,
        .read_at = http_read_at,
        .read_vector = http_read_vector,
        .close = http_close,
    };
    void *memory = NULL;
    stoa_status status = stoa_pool_allocate_array(context->pool, 1, sizeof(struct http_file),
                                                  &memory, err);
    if (status != STOA_OK) {
        stoa_pool_free_string(target->pool, probe->final_url);
        stoa_http_target_release(target);
        return status;
    }
    struct http_file *file = memory;
    (void)pthread_mutex_init(&file->lock, NULL);
    (void)pthread_mutex_init(&file->inorder.lock, NULL);
    file->context = (stoa_context){.pool = context->pool};
    file->pin = probe->pin;
    file->mode = begins_in_order(probe) ? HTTP_MODE_IN_ORDER : HTTP_MODE_UNKNOWN;
    file->window.ahead = AHEAD_BYTES_MIN / 2;
    stoa_buffer_init(&file->inorder.held, context->pool);
    file->inorder.holds = true;
    file->target = *target;
    file->start_url = probe->final_url;
    *target = (struct http_target){0};
    probe->final_url = NULL;
    if (context->cancel != NULL) {
        status = stoa_cancel_create(context->cancel, &file->context.cancel, err);
    }
    if (status == STOA_OK) {
        char shown[STOA_URI_SHOWN_BYTES];
        status = stoa_file_create(context->pool, stoa_secret_show(file->target.url, shown),
                                  &operations, file, out, err);
    }
    if (status != STOA_OK) {
        http_close(file);
    }
    return status;
}
