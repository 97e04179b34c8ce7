/* A list of rows is kept twice: as spans in the order of the result, and for each source as the rows that
 * are wanted of it; where some rows of one window are kept, only as the latter. A column is read from
 * every source for its rows only, all at once, and the arrays are then interleaved; where all rows are
 * of one window its column is the result as it is. */
#include "lsm/gather.h"

#include "arrow/owner.h"
#include "base/bits.h"
#include "lsm/interleave.h"
#include "lsm/run_internal.h"

/* A window or a batch. Rows are [first, first + count) as long as that is all there is to say. */
struct source {
    stoa_run_window *window; /* NULL: a batch */
    struct ArrowArray batch;
    stoa_keys keys;         /* of a batch */
    stoa_buffer sequences;  /* uint64_t */
    stoa_buffer operations; /* uint8_t */
    uint32_t first;
    uint32_t count;
    bool is_listed;
    stoa_buffer rows; /* uint32_t */
};

struct span {
    uint32_t source;
    uint32_t first;
    uint32_t count;
};

struct stoa_gather {
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    stoa_buffer sources; /* struct source */
    uint32_t source_count;
    stoa_buffer spans; /* struct span */
    stoa_buffer spans_before;
    int64_t row_count;
    bool is_by_rows; /* all rows are those that are listed of the only window: there are no spans */
    stoa_buffer places; /* stoa_place, made at the end: rows of batches, or which of a window's */
};

static struct source *source_at(const stoa_gather *gather, uint32_t index) {
    return (struct source *)(void *)gather->sources.data + index;
}

stoa_status stoa_gather_create(stoa_pool *pool, const stoa_stripe_layout *layout, stoa_gather **out,
                               stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_gather), &memory, err));
    stoa_gather *gather = memory;
    *gather = (stoa_gather){.pool = pool, .layout = layout};
    stoa_buffer_init(&gather->sources, pool);
    stoa_buffer_init(&gather->spans, pool);
    stoa_buffer_init(&gather->spans_before, pool);
    stoa_buffer_init(&gather->places, pool);
    *out = gather;
    return STOA_OK;
}

/* What a source holds, but for the memory of its rows. */
static void empty_source(struct source *source) {
    stoa_run_window_release(source->window);
    source->window = NULL;
    stoa_arrow_array_release(&source->batch);
    stoa_keys_release(&source->keys);
    stoa_buffer_release(&source->sequences);
    stoa_buffer_release(&source->operations);
}

static void empty_rows(struct source *source) {
    source->count = 0;
    source->is_listed = false;
    stoa_buffer_clear(&source->rows);
}

void stoa_gather_clear(stoa_gather *gather) {
    for (uint32_t i = 0; i < gather->source_count; i++) {
        empty_source(source_at(gather, i));
        empty_rows(source_at(gather, i));
    }
    gather->source_count = 0;
    gather->row_count = 0;
    gather->is_by_rows = false;
    stoa_buffer_clear(&gather->spans);
}

void stoa_gather_close(stoa_gather *gather) {
    if (gather == NULL) {
        return;
    }
    stoa_gather_clear(gather);
    for (size_t i = 0; i < gather->sources.size / sizeof(struct source); i++) {
        stoa_buffer_release(&source_at(gather, (uint32_t)i)->rows);
    }
    stoa_buffer_release(&gather->sources);
    stoa_buffer_release(&gather->spans);
    stoa_buffer_release(&gather->spans_before);
    stoa_buffer_release(&gather->places);
    stoa_pool_free(gather->pool, gather, sizeof *gather);
}

/* ---- Listing --------------------------------------------------------------------------------- */

/* An empty source; those of a list before are used again. */
static stoa_status add_source(stoa_gather *gather, uint32_t *out, stoa_error *err) {
    const uint32_t index = gather->source_count;
    if (gather->sources.size == index * sizeof(struct source)) {
        STOA_TRY(stoa_buffer_reserve(&gather->sources, sizeof(struct source), err));
        gather->sources.size += sizeof(struct source);
        struct source *source = source_at(gather, index);
        *source = (struct source){0};
        stoa_keys_init(&source->keys, gather->pool);
        stoa_buffer_init(&source->sequences, gather->pool);
        stoa_buffer_init(&source->operations, gather->pool);
        stoa_buffer_init(&source->rows, gather->pool);
    }
    gather->source_count++;
    *out = index;
    return STOA_OK;
}

static stoa_status list_rows(struct source *source, uint32_t first, uint32_t count,
                             stoa_error *err) {
    const size_t bytes = count * sizeof(uint32_t);
    STOA_TRY(stoa_buffer_reserve(&source->rows, bytes, err));
    uint32_t *rows = (uint32_t *)(void *)(source->rows.data + source->rows.size);
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = first + i;
    }
    source->rows.size += bytes;
    return STOA_OK;
}

static stoa_status want_rows(struct source *source, uint32_t first, uint32_t count,
                             stoa_error *err) {
    if (source->count == 0) {
        source->first = first;
    } else if (!source->is_listed && source->first + source->count != first) {
        STOA_TRY(list_rows(source, source->first, source->count, err));
        source->is_listed = true;
    }
    if (source->is_listed) {
        STOA_TRY(list_rows(source, first, count, err));
    }
    source->count += count;
    return STOA_OK;
}

static stoa_status add_rows(stoa_gather *gather, uint32_t index, int64_t first, int64_t count,
                            stoa_error *err) {
    if (count == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_reserve(&gather->spans, sizeof(struct span), err));
    STOA_TRY(want_rows(source_at(gather, index), (uint32_t)first, (uint32_t)count, err));
    struct span *end = (struct span *)(void *)(gather->spans.data + gather->spans.size);
    if (gather->spans.size > 0 && end[-1].source == index &&
        end[-1].first + end[-1].count == (uint32_t)first) {
        end[-1].count += (uint32_t)count;
    } else {
        *end = (struct span){index, (uint32_t)first, (uint32_t)count};
        gather->spans.size += sizeof *end;
    }
    gather->row_count += count;
    return STOA_OK;
}

stoa_status stoa_gather_add_window(stoa_gather *gather, stoa_run_window *window, int64_t first,
                                   int64_t count, stoa_error *err) {
    uint32_t *slot = &((stoa_run_window_rows *)window)->gather_slot;
    STOA_ASSERT(first >= 0 && count >= 0 && first + count <= window->count);
    if (*slot >= gather->source_count || source_at(gather, *slot)->window != window) {
        STOA_TRY(add_source(gather, slot, err));
        source_at(gather, *slot)->window = stoa_run_window_retain(window);
    }
    return add_rows(gather, *slot, first, count, err);
}

static stoa_status copy_keys(const stoa_key_format *format, const stoa_keys_view *keys,
                             int64_t first, int64_t count, stoa_keys *out, stoa_error *err) {
    if (format->is_number) {
        STOA_TRY(stoa_buffer_append(&out->numbers, keys->numbers + first,
                                    (size_t)count * sizeof *keys->numbers, err));
        out->count += count;
        return STOA_OK;
    }
    const uint32_t begin = keys->offsets[first];
    const uint32_t size = keys->offsets[first + count] - begin;
    if (out->bytes.size + size > UINT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "expected at most 4 GiB of keys");
    }
    STOA_TRY(stoa_buffer_reserve(&out->offsets, (size_t)(count + 1) * sizeof begin, err));
    if (out->offsets.size == 0) {
        STOA_TRY(stoa_buffer_append(&out->offsets, &(uint32_t){0}, sizeof begin, err));
    }
    const uint32_t base = (uint32_t)out->bytes.size;
    STOA_TRY(stoa_buffer_append(&out->bytes, keys->bytes + begin, size, err));
    uint32_t *ends = (uint32_t *)(void *)(out->offsets.data + out->offsets.size);
    for (int64_t i = 0; i < count; i++) {
        ends[i] = keys->offsets[first + i + 1] - begin + base;
    }
    out->offsets.size += (size_t)count * sizeof *ends;
    out->count += count;
    return STOA_OK;
}

stoa_status stoa_gather_add_batch(stoa_gather *gather, struct ArrowArray *batch,
                                  const stoa_keys_view *keys, const uint64_t *sequences,
                                  const uint8_t *operations, int32_t *out_number, stoa_error *err) {
    const size_t count = (size_t)batch->length;
    uint32_t index;
    stoa_status status = add_source(gather, &index, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(batch);
        return status;
    }
    struct source *source = source_at(gather, index);
    source->batch = *batch;
    batch->release = NULL;
    *out_number = (int32_t)index;
    STOA_TRY(copy_keys(gather->layout->key, keys, 0, keys->count, &source->keys, err));
    STOA_TRY(stoa_buffer_append(&source->sequences, sequences, count * sizeof *sequences, err));
    return stoa_buffer_append(&source->operations, operations, count, err);
}

stoa_status stoa_gather_add_batch_rows(stoa_gather *gather, int32_t number, int64_t first,
                                       int64_t count, stoa_error *err) {
    STOA_ASSERT(first >= 0 && first + count <= source_at(gather, (uint32_t)number)->batch.length);
    return add_rows(gather, (uint32_t)number, first, count, err);
}

int64_t stoa_gather_row_count(const stoa_gather *gather) {
    return gather->row_count;
}

static const struct span *first_span(const stoa_gather *gather, const struct span **out_end) {
    *out_end = (const struct span *)(const void *)(gather->spans.data + gather->spans.size);
    return (const struct span *)(const void *)gather->spans.data;
}

/* The one window that all rows are of, or NULL. */
static const struct source *only_window(const stoa_gather *gather) {
    return gather->source_count == 1 && source_at(gather, 0)->window != NULL ? source_at(gather, 0)
                                                                             : NULL;
}

stoa_run_window *stoa_gather_slice(const stoa_gather *gather, int64_t *out_first) {
    const struct source *only = only_window(gather);
    if (only == NULL || only->is_listed) {
        return NULL;
    }
    *out_first = only->first;
    return only->window;
}

stoa_status stoa_gather_finish_rows(stoa_gather *gather, stoa_error *err) {
    const struct span *end, *span = first_span(gather, &end);
    if (only_window(gather) != NULL) {
        return STOA_OK;
    }
    stoa_buffer_clear(&gather->places);
    STOA_TRY(
        stoa_buffer_reserve(&gather->places, (size_t)gather->row_count * sizeof(stoa_place), err));
    stoa_place *place = (stoa_place *)(void *)gather->places.data;
    for (uint32_t i = 0; i < gather->source_count; i++) {
        source_at(gather, i)->count = 0; /* counts up again */
    }
    for (; span < end; span++) {
        struct source *source = source_at(gather, span->source);
        const uint32_t first = source->window != NULL ? source->count : span->first;
        for (uint32_t i = 0; i < span->count; i++) {
            *place++ = (stoa_place){span->source, first + i};
        }
        source->count += span->count;
    }
    return STOA_OK;
}

/* Of one window the rows that stay are listed without a branch that depends on them. */
static stoa_status keep_of_window(stoa_gather *gather, const uint8_t *bits, stoa_error *err) {
    struct source *source = source_at(gather, 0);
    const int64_t count = source->count, kept = stoa_bitmap_count(bits, 0, count);
    stoa_buffer *list = &source->rows;
    if (source->is_listed) {
        uint32_t *rows = (uint32_t *)(void *)list->data;
        for (int64_t i = 0, at = 0; i < count; i++) {
            rows[at] = rows[i];
            at += stoa_bit_get(bits, i);
        }
    } else {
        stoa_buffer_clear(list);
        STOA_TRY(stoa_buffer_reserve(list, (size_t)(kept + 1) * sizeof(uint32_t), err));
        stoa_bitmap_list(bits, count, source->first, (uint32_t *)(void *)list->data);
    }
    list->size = (size_t)kept * sizeof(uint32_t);
    source->is_listed = true;
    source->count = (uint32_t)kept;
    gather->row_count = kept;
    gather->is_by_rows = true;
    stoa_buffer_clear(&gather->spans);
    return STOA_OK;
}

stoa_status stoa_gather_keep(stoa_gather *gather, const uint8_t *bits, stoa_error *err) {
    if (only_window(gather) != NULL) {
        return keep_of_window(gather, bits, err);
    }
    const stoa_buffer before = gather->spans;
    const struct span *end, *span = first_span(gather, &end);
    int64_t row = 0;
    gather->spans = gather->spans_before;
    gather->spans_before = before;
    stoa_buffer_clear(&gather->spans);
    gather->row_count = 0;
    for (uint32_t i = 0; i < gather->source_count; i++) {
        empty_rows(source_at(gather, i));
    }
    for (; span < end; row += span->count, span++) {
        for (uint32_t i = 0; i < span->count;) {
            while (i < span->count && !stoa_bit_get(bits, row + i)) {
                i++;
            }
            const uint32_t first = i;
            while (i < span->count && stoa_bit_get(bits, row + i)) {
                i++;
            }
            STOA_TRY(add_rows(gather, span->source, span->first + first, i - first, err));
        }
    }
    return stoa_gather_finish_rows(gather, err);
}

/* ---- What every row has ---------------------------------------------------------------------- */

static stoa_keys_view keys_of(const struct source *source) {
    return source->window != NULL ? source->window->keys : stoa_keys_view_of(&source->keys);
}

/* The rows of the only window; `*out_count` is 0 where there are spans to go by. */
static const uint32_t *rows_alone(const stoa_gather *gather, const struct source **out_source,
                                  int64_t *out_count) {
    *out_source = gather->is_by_rows ? source_at(gather, 0) : NULL;
    *out_count = gather->is_by_rows ? gather->row_count : 0;
    return gather->is_by_rows ? (const uint32_t *)(const void *)(*out_source)->rows.data : NULL;
}

stoa_status stoa_gather_keys(const stoa_gather *gather, stoa_keys *out, stoa_error *err) {
    const stoa_key_format *format = gather->layout->key;
    const struct source *only;
    int64_t alone;
    const uint32_t *rows = rows_alone(gather, &only, &alone);
    const struct span *end, *span = first_span(gather, &end);
    if (format->is_number) {
        STOA_TRY(
            stoa_buffer_reserve(&out->numbers, (size_t)gather->row_count * sizeof(uint64_t), err));
    }
    for (int64_t i = 0; i < alone; i++) {
        STOA_TRY(copy_keys(format, &only->window->keys, rows[i], 1, out, err));
    }
    for (; span < end; span++) {
        const stoa_keys_view keys = keys_of(source_at(gather, span->source));
        STOA_TRY(copy_keys(format, &keys, span->first, span->count, out, err));
    }
    return STOA_OK;
}

stoa_status stoa_gather_sequences(const stoa_gather *gather, uint64_t *out, stoa_error *err) {
    const struct span *end, *span = first_span(gather, &end);
    const struct source *only;
    int64_t alone;
    const uint32_t *rows = rows_alone(gather, &only, &alone);
    if (alone > 0) {
        const uint64_t *sequences;
        STOA_TRY(stoa_run_window_sequences(only->window, &sequences, err));
        for (int64_t i = 0; i < alone; i++) {
            out[i] = sequences[rows[i]];
        }
    }
    for (; span < end; span++) {
        const struct source *source = source_at(gather, span->source);
        const uint64_t *sequences = (const uint64_t *)(const void *)source->sequences.data;
        if (source->window != NULL) {
            STOA_TRY(stoa_run_window_sequences(source->window, &sequences, err));
        }
        memcpy(out, sequences + span->first, span->count * sizeof *out);
        out += span->count;
    }
    return STOA_OK;
}

stoa_status stoa_gather_operations(const stoa_gather *gather, uint8_t *out, stoa_error *err) {
    const struct span *end, *span = first_span(gather, &end);
    const struct source *only;
    int64_t alone;
    const uint32_t *rows = rows_alone(gather, &only, &alone);
    if (alone > 0) {
        const uint8_t *operations;
        STOA_TRY(stoa_run_window_operations(only->window, &operations, err));
        for (int64_t i = 0; i < alone; i++) {
            out[i] = operations[rows[i]];
        }
    }
    for (; span < end; span++) {
        const struct source *source = source_at(gather, span->source);
        const uint8_t *operations = source->operations.data;
        if (source->window != NULL) {
            STOA_TRY(stoa_run_window_operations(source->window, &operations, err));
        }
        memcpy(out, operations + span->first, span->count);
        out += span->count;
    }
    return STOA_OK;
}

/* ---- Columns --------------------------------------------------------------------------------- */

/* The rows of a window that are wanted. */
static stoa_status read_source(const struct source *source, stoa_pool *pool, int32_t column,
                               struct ArrowArray *out, stoa_error *err) {
    const uint32_t *rows = (const uint32_t *)(const void *)source->rows.data;
    return stoa_run_window_column(source->window, pool, column, source->is_listed ? rows : NULL,
                                  source->first, source->count, out, err);
}

/* What each source has of a column: arrays of their own for windows, those of the batch for batches. */
static stoa_status read_sources(const stoa_gather *gather, stoa_pool *pool, int32_t column,
                                struct ArrowArray *arrays, stoa_interleave_source *out,
                                stoa_error *err) {
    for (uint32_t i = 0; i < gather->source_count; i++) {
        const struct source *source = source_at(gather, i);
        const struct ArrowArray *array = &arrays[i];
        int64_t at = 0;
        if (source->window != NULL) {
            STOA_TRY(read_source(source, pool, column, &arrays[i], err));
        } else {
            array = source->batch.children[column];
            at = array->offset + source->batch.offset;
        }
        out[i] = (stoa_interleave_source){array, at};
    }
    return STOA_OK;
}

stoa_status stoa_gather_column(const stoa_gather *gather, stoa_pool *pool, int32_t column,
                               struct ArrowArray *out, stoa_error *err) {
    const size_t count = gather->source_count;
    const size_t bytes = count * (sizeof(struct ArrowArray) + sizeof(stoa_interleave_source));
    void *memory = NULL;
    *out = (struct ArrowArray){0};
    if (only_window(gather) != NULL) {
        return read_source(only_window(gather), pool, column, out, err);
    }
    STOA_TRY(stoa_pool_allocate(pool, bytes, &memory, err));
    memset(memory, 0, bytes);
    struct ArrowArray *arrays = memory;
    stoa_interleave_source *sources = (void *)(arrays + count);
    stoa_status status = read_sources(gather, pool, column, arrays, sources, err);
    if (status == STOA_OK) {
        status = stoa_interleave_column(gather->layout, pool, column, sources, (int32_t)count,
                                        (const stoa_place *)(const void *)gather->places.data,
                                        gather->row_count, out, err);
    }
    for (size_t i = 0; i < count; i++) {
        stoa_arrow_array_release(&arrays[i]);
    }
    stoa_pool_free(pool, memory, bytes);
    return status;
}

/* ---- Batches --------------------------------------------------------------------------------- */

/* All columns of the key. */
static stoa_status decode_keys(const stoa_gather *gather, stoa_pool *pool, struct ArrowArray *parts,
                               stoa_error *err) {
    const stoa_key_format *format = gather->layout->key;
    const struct source *only = only_window(gather);
    if (only != NULL && !only->is_listed) {
        stoa_keys_view view = only->window->keys;
        view.count = only->count;
        if (format->is_number) {
            view.numbers += only->first;
        } else {
            view.offsets += only->first;
        }
        return stoa_keys_decode(format, pool, &view, parts, err);
    }
    stoa_keys keys;
    stoa_keys_init(&keys, pool);
    stoa_status status = stoa_gather_keys(gather, &keys, err);
    if (status == STOA_OK) {
        static const uint32_t no_offsets[1] = {0};
        stoa_keys_view view = stoa_keys_view_of(&keys);
        view.offsets = keys.count == 0 ? no_offsets : view.offsets;
        status = stoa_keys_decode(format, pool, &view, parts, err);
    }
    stoa_keys_release(&keys);
    return status;
}

static int32_t part_of(const stoa_key_format *format, int32_t column) {
    int32_t part = 0;
    while (format->parts[part].column != column) {
        part++;
    }
    return part;
}

/* A column of the key. They are decoded together, and again where one is asked for twice. */
static stoa_status take_part(const stoa_gather *gather, stoa_pool *pool, int32_t column,
                             struct ArrowArray *parts, struct ArrowArray *out, stoa_error *err) {
    const stoa_key_format *format = gather->layout->key;
    const int32_t part = part_of(format, column);
    if (parts[part].release == NULL) {
        for (int32_t i = 0; i < format->part_count; i++) {
            stoa_arrow_array_release(&parts[i]);
        }
        STOA_TRY(decode_keys(gather, pool, parts, err));
    }
    *out = parts[part];
    parts[part].release = NULL;
    return STOA_OK;
}

stoa_status stoa_gather_batch(const stoa_gather *gather, stoa_pool *pool, const int32_t *columns,
                              int32_t column_count, struct ArrowArray *out, stoa_error *err) {
    struct ArrowArray parts[STOA_KEY_PARTS_MAX] = {0};
    const int32_t count = columns == NULL ? gather->layout->schema->root.child_count : column_count;
    STOA_TRY(stoa_arrow_array_init(pool, 1, count, false, out, err));
    stoa_status status = STOA_OK;
    out->length = gather->row_count;
    for (int32_t i = 0; i < count && status == STOA_OK; i++) {
        const int32_t column = columns == NULL ? i : columns[i];
        status = gather->layout->column_nodes[column] < 0
                     ? take_part(gather, pool, column, parts, out->children[i], err)
                     : stoa_gather_column(gather, pool, column, out->children[i], err);
    }
    for (int32_t i = 0; i < gather->layout->key->part_count; i++) {
        stoa_arrow_array_release(&parts[i]);
    }
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}
