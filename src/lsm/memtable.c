#include "lsm/memtable_internal.h"

#include "arrow/array.h"
#include "schema/schema.h"

/* ---- The table ------------------------------------------------------------------------------- */

static stoa_status init_columns(stoa_memtable *table, stoa_error *err) {
    const stoa_type *root = &table->layout->schema->root;
    void *memory = NULL;
    STOA_TRY(stoa_schema_to_arrow(table->pool, table->layout->schema, &table->schema, err));
    STOA_TRY(stoa_pool_allocate_array(table->pool, (size_t)root->child_count, sizeof *table->rules,
                                      &memory, err));
    table->rules = memory;
    for (int32_t i = root->child_count; i-- > 0;) {
        stoa_cell_rule_init(&table->rules[i], &root->children[i]);
        if (table->rules[i].class == STOA_CELL_NESTED) {
            table->nested_column = i;
        }
    }
    return STOA_OK;
}

stoa_status stoa_memtable_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                 stoa_memtable **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_memtable), &memory, err));
    memset(memory, 0, sizeof(stoa_memtable));
    stoa_memtable *table = memory;
    atomic_init(&table->references, 1);
    atomic_init(&table->bytes, sizeof *table);
    table->pool = pool;
    table->layout = layout;
    table->nested_column = -1;
    stoa_buffer_init(&table->key, pool);
    pthread_mutex_init(&table->index_lock, NULL);
    pthread_mutex_init(&table->order_lock, NULL);
    const stoa_status status = init_columns(table, err);
    if (status != STOA_OK) {
        stoa_memtable_close(table);
        return status;
    }
    *out = table;
    return STOA_OK;
}

stoa_memtable *stoa_memtable_retain(stoa_memtable *table) {
    atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
    return table;
}

static void free_holder(stoa_memtable *table, stoa_memtable_holder *holder) {
    if (holder->piece.before != NULL) {
        stoa_pool_free(table->pool, holder->piece.before,
                       (size_t)holder->capacity * sizeof *holder->piece.before);
    }
    stoa_arrow_array_release(&holder->piece.batch);
    stoa_keys_release(&holder->keys);
    stoa_pool_free(table->pool, holder, holder->block_bytes);
}

void stoa_memtable_close(stoa_memtable *table) {
    if (table == NULL ||
        atomic_fetch_sub_explicit(&table->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    stoa_memtable_discard(table);
    for (uint32_t i = 0; i < table->staged_pieces; i++) {
        free_holder(table, stoa_memtable_holder_at(table, i));
    }
    for (uint32_t i = 0; i < STOA_MEMTABLE_CHUNKS && table->chunks[i] != NULL; i++) {
        stoa_pool_free(table->pool, table->chunks[i],
                       STOA_MEMTABLE_CHUNK * sizeof *table->chunks[i]);
    }
    stoa_memtable_index_release(table);
    stoa_memtable_ranges_release(table);
    if (table->order != NULL) {
        stoa_memtable_order_close(table->order);
    }
    /* The layout may be gone by now: only readers need it. */
    stoa_pool_free(table->pool, table->rules,
                   (size_t)table->schema.n_children * sizeof *table->rules);
    stoa_arrow_schema_release(&table->schema);
    stoa_buffer_release(&table->key);
    pthread_mutex_destroy(&table->index_lock);
    pthread_mutex_destroy(&table->order_lock);
    stoa_pool_free(table->pool, table, sizeof *table);
}

/* ---- Adding ---------------------------------------------------------------------------------- */

stoa_status stoa_memtable_make_room(stoa_memtable *table, stoa_error *err) {
    const uint32_t chunk = table->staged_pieces >> STOA_MEMTABLE_CHUNK_BITS;
    const size_t bytes = STOA_MEMTABLE_CHUNK * sizeof *table->chunks[0];
    void *memory = NULL;
    if (table->staged_pieces >> STOA_MEMTABLE_PIECE_BITS != 0) {
        return stoa_fail(err, STOA_LIMIT, "expected at most 2^24 batches in memory");
    }
    if (table->chunks[chunk] == NULL) {
        STOA_TRY(stoa_pool_allocate(table->pool, bytes, &memory, err));
        table->chunks[chunk] = memory;
        stoa_memtable_count_bytes(table, bytes);
    }
    return STOA_OK;
}

void stoa_memtable_stage_piece(stoa_memtable *table, stoa_memtable_holder *holder) {
    const uint32_t number = table->staged_pieces++;
    table->chunks[number >> STOA_MEMTABLE_CHUNK_BITS][number & (STOA_MEMTABLE_CHUNK - 1)] = holder;
    stoa_memtable_count_bytes(table, holder->block_bytes + holder->held_bytes);
}

stoa_status stoa_memtable_stage_batch(stoa_memtable *table, struct ArrowArray *batch,
                                      stoa_keys *keys, stoa_operation operation,
                                      uint64_t first_sequence, stoa_error *err) {
    void *memory = NULL;
    STOA_ASSERT(keys->count == batch->length);
    if (batch->length >= INT64_C(1) << STOA_MEMTABLE_ROW_BITS) {
        return stoa_fail(err, STOA_LIMIT, "expected fewer than 2^24 rows in a batch");
    }
    const stoa_keys_view view = stoa_keys_view_of(keys);
    if (stoa_memtable_joins(table, batch, operation)) {
        return stoa_memtable_stage_copy(table, batch, &view, operation, first_sequence, err);
    }
    STOA_TRY(stoa_memtable_make_room(table, err));
    STOA_TRY(stoa_pool_allocate(table->pool, sizeof(stoa_memtable_holder), &memory, err));
    stoa_memtable_holder *holder = memory;
    *holder = (stoa_memtable_holder){
        .piece = {.keys = view,
                  .operation = operation,
                  .first_sequence = first_sequence},
        .block_bytes = sizeof *holder,
        .capacity = batch->length,
        .held_bytes = (size_t)stoa_arrow_memory_bytes(&table->schema, batch) +
                      keys->numbers.capacity + keys->bytes.capacity + keys->offsets.capacity,
        .batch_source = batch,
        .keys_source = keys,
    };
    stoa_memtable_stage_piece(table, holder);
    return STOA_OK;
}

static int64_t publish_piece(stoa_memtable_holder *holder) {
    const int64_t before = atomic_load_explicit(&holder->piece.row_count, memory_order_relaxed);
    if (holder->batch_source != NULL) {
        holder->piece.batch = *holder->batch_source;
        holder->batch_source->release = NULL;
        holder->keys = *holder->keys_source;
        stoa_keys_init(holder->keys_source, holder->keys.numbers.pool);
        holder->batch_source = NULL;
    }
    const int64_t rows = holder->rows == NULL ? holder->capacity : holder->rows->staged;
    atomic_store_explicit(&holder->piece.row_count, rows, memory_order_release);
    return rows - before;
}

/* The piece that was the last may have got rows too. Readers of a later piece see all rows of those
 * before it: stoa_memtable_end. */
void stoa_memtable_publish(stoa_memtable *table) {
    const uint32_t published = atomic_load_explicit(&table->piece_count, memory_order_relaxed);
    int64_t rows = 0;
    for (uint32_t i = published > 0 ? published - 1 : 0; i < table->staged_pieces; i++) {
        rows += publish_piece(stoa_memtable_holder_at(table, i));
    }
    stoa_memtable_ranges_publish(table);
    if (table->staged_pieces > published) {
        atomic_store_explicit(&table->piece_count, table->staged_pieces, memory_order_release);
    }
    const int64_t count = atomic_load_explicit(&table->row_count, memory_order_relaxed) + rows;
    atomic_store_explicit(&table->row_count, count, memory_order_release);
}

void stoa_memtable_discard(stoa_memtable *table) {
    const uint32_t published = atomic_load_explicit(&table->piece_count, memory_order_relaxed);
    while (table->staged_pieces > published) {
        stoa_memtable_holder *holder = stoa_memtable_holder_at(table, --table->staged_pieces);
        atomic_fetch_sub_explicit(&table->bytes, holder->block_bytes + holder->held_bytes,
                                  memory_order_relaxed);
        free_holder(table, holder);
    }
    if (published > 0) {
        stoa_memtable_rows_discard(stoa_memtable_holder_at(table, published - 1));
    }
    stoa_memtable_ranges_discard(table);
}

stoa_status stoa_memtable_append(stoa_memtable *table, struct ArrowArray *batch,
                                 stoa_operation operation, uint64_t first_sequence,
                                 stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_keys keys;
    stoa_keys_init(&keys, table->pool);
    STOA_CHECK(stoa_keys_append(table->layout->key, batch, 0, batch->length, &keys, err));
    STOA_CHECK(stoa_memtable_stage_batch(table, batch, &keys, operation, first_sequence, err));
    stoa_memtable_publish(table);

done:
    stoa_arrow_array_release(batch);
    stoa_keys_release(&keys);
    return status;
}

/* ---- Reading --------------------------------------------------------------------------------- */

int64_t stoa_memtable_row_count(const stoa_memtable *table) {
    return atomic_load_explicit(&table->row_count, memory_order_relaxed);
}

size_t stoa_memtable_bytes(const stoa_memtable *table) {
    return atomic_load_explicit(&table->bytes, memory_order_relaxed);
}

const uint8_t *stoa_memtable_key(const stoa_memtable *table, const stoa_memtable_row *row,
                                 uint8_t number[8], size_t *out_size) {
    return stoa_keys_bytes(table->layout->key, &row->piece->keys, row->row, number, out_size);
}

int stoa_memtable_compare(const stoa_memtable *table, const stoa_memtable_row *left,
                          const stoa_memtable_row *right) {
    return stoa_keys_compare(table->layout->key, &left->piece->keys, left->row, &right->piece->keys,
                             right->row);
}

static int64_t read_whole(const stoa_cell_rule *rule, const void *values, int64_t at) {
    const bool is_signed = rule->lower < 0;
    switch (rule->size) {
    case 0: return stoa_memtable_bit(values, at);
    case 1: return is_signed ? ((const int8_t *)values)[at] : ((const uint8_t *)values)[at];
    case 2: return is_signed ? ((const int16_t *)values)[at] : ((const uint16_t *)values)[at];
    case 4:
        return is_signed ? (int64_t)((const int32_t *)values)[at]
                         : (int64_t)((const uint32_t *)values)[at];
    default: return ((const int64_t *)values)[at];
    }
}

/* Of the array's position `at`. */
static stoa_cell read_cell(const stoa_cell_rule *rule, const struct ArrowArray *array, int64_t at) {
    const void *values = array->buffers[1];
    stoa_cell cell = {0};
    switch (rule->class) {
    case STOA_CELL_WHOLE: cell.i = read_whole(rule, values, at); break;
    case STOA_CELL_FLOAT: cell.f = ((const float *)values)[at]; break;
    case STOA_CELL_DOUBLE: cell.f = ((const double *)values)[at]; break;
    case STOA_CELL_DECIMAL:
    case STOA_CELL_FIXED:
        cell.bytes = (const uint8_t *)values + (size_t)at * rule->size;
        cell.size = rule->size;
        break;
    case STOA_CELL_STRING:
    case STOA_CELL_BINARY: {
        const int32_t *offsets = (const int32_t *)values + at;
        cell.size = (size_t)(offsets[1] - offsets[0]);
        cell.bytes = cell.size == 0 ? NULL : (const uint8_t *)array->buffers[2] + offsets[0];
        break;
    }
    case STOA_CELL_NULL:
    case STOA_CELL_NESTED: break;
    }
    return cell;
}

void stoa_memtable_cells(const stoa_memtable *table, const stoa_memtable_row *row,
                         const int32_t *columns, int32_t count, stoa_cell *out) {
    const struct ArrowArray *batch = &row->piece->batch;
    for (int32_t i = 0; i < count; i++) {
        const int32_t column = columns == NULL ? i : columns[i];
        const stoa_cell_rule *rule = &table->rules[column];
        const struct ArrowArray *array = batch->children[column];
        const int64_t at = array->offset + batch->offset + row->row;
        STOA_ASSERT(rule->class != STOA_CELL_NESTED);
        const bool is_null = rule->class == STOA_CELL_NULL ||
                             (array->null_count != 0 && array->buffers[0] != NULL &&
                              !stoa_memtable_bit(array->buffers[0], at));
        out[i] = is_null ? (stoa_cell){.is_null = true} : read_cell(rule, array, at);
    }
}
