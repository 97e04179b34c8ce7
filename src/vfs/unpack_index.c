/* The index of a compressed file: a sorted array that grows at its end while the file is read. */
#include "vfs/unpack_index.h"

#include <string.h>

enum {
    POINTS_FIRST = 16,
    POINTS_MAX = 1 << 20,      /* 40 MiB of array */
    PLAIN_SPAN = 64 << 10,     /* between points without a state */
    SAVED_SPAN = 2 << 20,      /* between points with one, at first */
    SAVED_BYTES_MAX = 16 << 20 /* all states together */
};

void stoa_unpack_index_init(struct unpack_index *index, stoa_pool *pool) {
    *index = (struct unpack_index){.pool = pool, .saved_span = SAVED_SPAN};
}

static void drop_point(struct unpack_index *index, struct unpack_point *point) {
    stoa_pool_free(index->pool, point->saved, point->saved_bytes);
    index->saved_bytes -= point->saved_bytes;
}

void stoa_unpack_index_release(struct unpack_index *index) {
    for (size_t i = 0; i < index->count; i++) {
        drop_point(index, &index->points[i]);
    }
    stoa_pool_free(index->pool, index->points, index->capacity * sizeof *index->points);
    *index = (struct unpack_index){0};
}

struct unpack_point stoa_unpack_index_find(const struct unpack_index *index, uint64_t plain) {
    size_t low = 0;
    size_t high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->points[middle].plain <= plain) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? (struct unpack_point){0} : index->points[low - 1];
}

bool stoa_unpack_index_wants(const struct unpack_index *index, uint64_t plain, bool with_state) {
    uint64_t last = index->count == 0 ? 0 : index->points[index->count - 1].plain;
    return plain > last && plain - last >= (with_state ? index->saved_span : PLAIN_SPAN) &&
           index->count < POINTS_MAX;
}

uint64_t stoa_unpack_index_next(const struct unpack_index *index) {
    uint64_t last = index->count == 0 ? 0 : index->points[index->count - 1].plain;
    return last + index->saved_span;
}

/* Every second point with a state goes. */
static void thin_out(struct unpack_index *index) {
    size_t kept = 0;
    bool drops = false;
    for (size_t i = 0; i < index->count; i++) {
        struct unpack_point *point = &index->points[i];
        if (point->saved != NULL && drops) {
            drop_point(index, point);
        } else {
            index->points[kept++] = *point;
        }
        drops = point->saved != NULL ? !drops : drops;
    }
    index->count = kept;
    index->saved_span *= 2;
}

static stoa_status make_room(struct unpack_index *index, stoa_error *err) {
    if (index->count < index->capacity) {
        return STOA_OK;
    }
    size_t capacity = index->capacity == 0 ? POINTS_FIRST : index->capacity * 2;
    void *memory = index->points;
    STOA_TRY(stoa_pool_reallocate(index->pool, &memory, index->capacity * sizeof *index->points,
                                  capacity * sizeof *index->points, err));
    index->points = memory;
    index->capacity = capacity;
    return STOA_OK;
}

stoa_status stoa_unpack_index_load(struct unpack_index *index, struct unpack_point point,
                                   stoa_error *err) {
    bool is_new = index->count == 0 || point.plain > index->points[index->count - 1].plain;
    stoa_status status = is_new ? make_room(index, err) : STOA_OK;
    if (!is_new) {
        index->points[index->count - 1].checksum = point.checksum;
    }
    if (!is_new || status != STOA_OK) {
        stoa_pool_free(index->pool, point.saved, point.saved_bytes);
        return status;
    }
    index->points[index->count++] = point;
    index->saved_bytes += point.saved_bytes;
    return STOA_OK;
}

void stoa_unpack_index_add(struct unpack_index *index, struct unpack_point point) {
    if (!stoa_unpack_index_wants(index, point.plain, point.saved != NULL) ||
        make_room(index, NULL) != STOA_OK) {
        stoa_pool_free(index->pool, point.saved, point.saved_bytes);
        return;
    }
    index->points[index->count++] = point;
    index->saved_bytes += point.saved_bytes;
    if (index->saved_bytes > SAVED_BYTES_MAX) {
        thin_out(index);
    }
}
