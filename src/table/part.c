/* Parts and lists of them. A part is counted by reference and immutable; the one thing that happens
 * at its end is that a file which no catalog ever named is removed, so that an aborted load cleans up
 * after itself even while somebody still reads what it had staged. */
#include "table/part.h"

#include <math.h>
#include <string.h>

#include "lsm/bulk.h"
#include "table/internal.h"

static _Atomic int64_t last_local_id; /* ids count down from -1 */

stoa_status stoa_part_create(stoa_database *database, stoa_pool *pool, stoa_part **out,
                             stoa_error *err) {
    *out = NULL;
    stoa_part *part = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *part, (void **)&part, err));
    if (pthread_mutex_init(&part->slice_lock, NULL) != 0) {
        stoa_pool_free(pool, part, sizeof *part);
        return stoa_fail(err, STOA_NO_MEMORY, "cannot make a lock");
    }
    atomic_init(&part->references, 1);
    atomic_init(&part->unlisted, false);
    part->id = atomic_fetch_sub_explicit(&last_local_id, 1, memory_order_relaxed) - 1;
    part->database = database;
    stoa_arena_init(&part->arena, pool);
    *out = part;
    return STOA_OK;
}

stoa_part *stoa_part_retain(stoa_part *part) {
    atomic_fetch_add_explicit(&part->references, 1, memory_order_relaxed);
    return part;
}

void stoa_part_release(stoa_part *part) {
    /* Pairs with itself: whoever frees sees what every other owner did before letting go. */
    if (part == NULL ||
        atomic_fetch_sub_explicit(&part->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (atomic_load_explicit(&part->unlisted, memory_order_relaxed) && part->path != NULL) {
        stoa_database_remove_file(part->database, part->path);
        stoa_database_remove_partitions(part->database, part->path);
    }
    stoa_pool *pool = part->arena.pool;
    stoa_bulk_close(part->bulk);
    stoa_arrow_array_release(&part->batch);
    stoa_reservation_release(&part->reservation);
    stoa_arena_release(&part->arena);
    (void)pthread_mutex_destroy(&part->slice_lock);
    stoa_pool_free(pool, part, sizeof *part);
}

static stoa_status copy_value(stoa_arena *arena, const stoa_value *value, const stoa_value **out,
                              stoa_error *err) {
    *out = NULL;
    if (value == NULL || value->is_null) {
        return STOA_OK;
    }
    stoa_value *copy = NULL;
    STOA_TRY(stoa_arena_allocate(arena, sizeof *copy, (void **)&copy, err));
    *copy = *value;
    copy->type.children = NULL; /* bounds are of primitive types */
    copy->type.child_count = 0;
    if (value->bytes != NULL) {
        const char *bytes = NULL;
        STOA_TRY(stoa_arena_copy_text(arena, (const char *)value->bytes, value->size, &bytes, err));
        copy->bytes = (const uint8_t *)bytes;
    }
    *out = copy;
    return STOA_OK;
}

stoa_status stoa_part_set_columns(stoa_part *part, const stoa_field_summary *columns,
                                  int32_t column_count, stoa_error *err) {
    STOA_TRY(stoa_arena_allocate_array(&part->arena, (size_t)column_count, sizeof *part->columns,
                                       (void **)&part->columns, err));
    for (int32_t i = 0; i < column_count; i++) {
        stoa_field_summary *column = &part->columns[i];
        *column = columns[i];
        STOA_TRY(copy_value(&part->arena, columns[i].lower, &column->lower, err));
        STOA_TRY(copy_value(&part->arena, columns[i].upper, &column->upper, err));
    }
    part->column_count = column_count;
    return STOA_OK;
}

stoa_field_summary stoa_part_summary_of_value(const stoa_part *part, int32_t field_id,
                                              const stoa_value *value) {
    bool is_nan = !value->is_null && isnan(value->f);
    const stoa_value *bound = value->is_null || is_nan ? NULL : value;
    return (stoa_field_summary){.field_id = field_id,
                                .value_count = part->row_count,
                                .null_count = value->is_null ? part->row_count : 0,
                                .may_have_nan = is_nan,
                                .lower = bound,
                                .upper = bound};
}

stoa_status stoa_part_set_partition(stoa_part *part, const stoa_partition_spec *spec,
                                    const stoa_value *partition,
                                    const stoa_field_summary *columns, int32_t column_count,
                                    stoa_error *err) {
    stoa_field_summary *all = NULL;
    size_t count = (size_t)spec->field_count;
    size_t bytes = ((size_t)column_count + count) * sizeof *all;
    STOA_TRY(stoa_arena_allocate_array(&part->arena, count, sizeof *part->partition,
                                       (void **)&part->partition, err));
    for (size_t i = 0; i < count; i++) {
        const stoa_value *copy = NULL;
        STOA_TRY(copy_value(&part->arena, &partition[i], &copy, err));
        part->partition[i] = copy == NULL ? partition[i] : *copy;
    }
    part->partition_count = spec->field_count;
    STOA_TRY(stoa_pool_allocate(part->arena.pool, bytes, (void **)&all, err));
    if (column_count > 0) {
        memcpy(all, columns, (size_t)column_count * sizeof *all);
    }
    for (int32_t i = 0; i < spec->field_count; i++) {
        if (spec->fields[i].transform == STOA_TRANSFORM_IDENTITY) {
            all[column_count++] = stoa_part_summary_of_value(part, spec->fields[i].source_id,
                                                             &part->partition[i]);
        }
    }
    stoa_status status = stoa_part_set_columns(part, all, column_count, err);
    stoa_pool_free(part->arena.pool, all, bytes);
    return status;
}

stoa_status stoa_part_vector_reserve(stoa_part_vector *vector, int64_t additional,
                                     stoa_error *err) {
    if (vector->capacity - vector->count >= additional) {
        return STOA_OK;
    }
    int64_t capacity = vector->capacity < 8 ? 8 : vector->capacity * 2;
    capacity = capacity < vector->count + additional ? vector->count + additional : capacity;
    STOA_TRY(stoa_pool_reallocate(vector->pool, (void **)&vector->items,
                                  (size_t)vector->capacity * sizeof *vector->items,
                                  (size_t)capacity * sizeof *vector->items, err));
    vector->capacity = capacity;
    return STOA_OK;
}

stoa_status stoa_part_vector_push(stoa_part_vector *vector, stoa_part *part, stoa_error *err) {
    STOA_TRY(stoa_part_vector_reserve(vector, 1, err));
    vector->items[vector->count++] = part;
    return STOA_OK;
}

stoa_status stoa_part_vector_append(stoa_part_vector *vector, const stoa_part_vector *source,
                                    stoa_error *err) {
    STOA_TRY(stoa_part_vector_reserve(vector, source->count, err));
    for (int64_t i = 0; i < source->count; i++) {
        vector->items[vector->count++] = stoa_part_retain(source->items[i]);
    }
    return STOA_OK;
}

bool stoa_part_vector_has(const stoa_part_vector *vector, int64_t id) {
    for (int64_t i = 0; i < vector->count; i++) {
        if (vector->items[i]->id == id) {
            return true;
        }
    }
    return false;
}

static bool id_among(int64_t id, const int64_t *ids, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

bool stoa_part_vector_remove(stoa_part_vector *vector, const int64_t *ids, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (!stoa_part_vector_has(vector, ids[i])) {
            return false;
        }
    }
    int64_t kept = 0;
    for (int64_t i = 0; i < vector->count; i++) {
        if (id_among(vector->items[i]->id, ids, count)) {
            stoa_part_release(vector->items[i]);
        } else {
            vector->items[kept++] = vector->items[i];
        }
    }
    vector->count = kept;
    return true;
}

void stoa_part_vector_release(stoa_part_vector *vector) {
    for (int64_t i = 0; i < vector->count; i++) {
        stoa_part_release(vector->items[i]);
    }
    stoa_pool_free(vector->pool, vector->items, (size_t)vector->capacity * sizeof *vector->items);
    *vector = (stoa_part_vector){.pool = vector->pool};
}

stoa_part_totals stoa_part_vector_totals(const stoa_part_vector *vector) {
    stoa_part_totals totals = {0, vector->count, 0};
    for (int64_t i = 0; i < vector->count; i++) {
        totals.row_count += vector->items[i]->row_count;
        totals.byte_count += vector->items[i]->byte_count;
    }
    return totals;
}
