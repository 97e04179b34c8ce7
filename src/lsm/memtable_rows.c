/* Rows that come one by one, or few at a time. They are written where readers will find them, behind the
 * rows that are published, so that publishing is one store. A piece's buffers have a fixed size and lie in
 * one block; when rows do not fit the next piece begins, twice as large as what the last one was used for.
 *
 * Batches that are small against a piece are copied too: their makers use the same memory for the next
 * ones, a memtable's blocks are those of the one before, and flushes find all rows in a few pieces, on huge
 * pages. */
#include "lsm/memtable_internal.h"

#include "base/bits.h"
#include "lsm/key_bytes.h"

enum {
    ROWS_MIN = 16,
    ROWS_MAX = 1 << 16,
    PIECE_BYTES = 4 << 20, /* at most, but for a row that is larger: what is given as huge pages */
    TEXT_BYTES = 16,       /* of a row, as long as nothing is known */
    TEXTS_BYTES_MAX = 4 << 20, /* of a column, but for a text that is larger */
    JOINED_ROWS_MAX = 4096,    /* of a batch that is copied … */
    JOINED_BYTES_MAX = PIECE_BYTES / 8, /* … its values without the keys */
    ALIGNMENT = 64
};

static bool is_text(const stoa_cell_rule *rule) {
    return rule->class == STOA_CELL_STRING || rule->class == STOA_CELL_BINARY;
}

/* ---- Pieces ---------------------------------------------------------------------------------- */

/* What lies in a block, one after the other; without a base, only how much it takes. */
struct block {
    uint8_t *base;
    size_t size;
};

static void *take(struct block *block, size_t size) {
    uint8_t *part = block->base == NULL ? NULL : block->base + block->size;
    block->size += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return part;
}

/* Room for texts of `rows` rows: what the piece before took for each, and a quarter more. */
static size_t text_capacity(size_t used, uint32_t used_rows, uint32_t rows, size_t needed) {
    const size_t each = used_rows == 0 ? TEXT_BYTES : used / used_rows * 5 / 4 + 4;
    const size_t capacity = each * rows < TEXTS_BYTES_MAX ? each * rows : TEXTS_BYTES_MAX;
    return capacity > needed ? capacity : needed;
}

struct sizes {
    const stoa_memtable_rows *before; /* NULL: none */
    const stoa_cell *cells;           /* of the row that must fit; NULL: a deletion, or … */
    const struct ArrowArray *batch;   /* … rows that must; NULL: no batch */
    uint32_t rows;                    /* at least, and then how many there is room for */
    size_t key_bytes;                 /* of what must fit */
};

/* Of all rows of a batch. */
static size_t text_bytes(const struct ArrowArray *batch, int32_t column) {
    const struct ArrowArray *array = batch->children[column];
    const int32_t *offsets = (const int32_t *)array->buffers[1] + array->offset + batch->offset;
    return (size_t)(offsets[batch->length] - offsets[0]);
}

static size_t column_capacity(const struct sizes *sizes, const stoa_cell_rule *rule, int32_t column,
                              size_t key_needed) {
    const stoa_memtable_rows *before = sizes->before;
    const stoa_cell *cell = sizes->cells == NULL ? NULL : &sizes->cells[column];
    if (!is_text(rule)) {
        return 0;
    }
    return text_capacity(before == NULL ? 0 : before->columns[column].byte_count,
                         before == NULL ? 0 : before->staged, sizes->rows,
                         sizes->batch != NULL ? text_bytes(sizes->batch, column)
                         : cell == NULL       ? key_needed
                         : cell->is_null      ? 0
                                              : cell->size);
}

static void place_column(const stoa_cell_rule *rule, struct block *block, uint32_t rows,
                         size_t byte_capacity, stoa_memtable_column *column) {
    stoa_memtable_column made = {.byte_capacity = byte_capacity};
    const int64_t buffers = rule->class == STOA_CELL_NULL ? 0 : is_text(rule) ? 3 : 2;
    if (!rule->required && buffers > 0) {
        made.validity = take(block, stoa_bitmap_bytes(rows));
    }
    if (is_text(rule)) {
        made.values = take(block, ((size_t)rows + 1) * sizeof(int32_t));
        made.bytes = take(block, byte_capacity);
    } else if (buffers > 0) {
        made.values = take(block, rule->size == 0 ? stoa_bitmap_bytes(rows) : rows * rule->size);
    }
    if (block->base == NULL) {
        return;
    }
    *column = made;
    column->buffers[0] = made.validity;
    column->buffers[1] = made.values;
    column->buffers[2] = made.bytes;
    column->array = (struct ArrowArray){.length = rows,
                                        .null_count = made.validity == NULL ? 0 : -1,
                                        .n_buffers = buffers,
                                        .buffers = column->buffers};
    if (buffers == 0) {
        column->array.null_count = rows;
    }
    if (is_text(rule)) {
        memset(made.values, 0, sizeof(int32_t));
    } else if (buffers > 0 && rule->size == 0) {
        memset(made.values, 0, stoa_bitmap_bytes(rows));
    }
    if (made.validity != NULL) { /* so that only nulls are written */
        memset(made.validity, 0xFF, stoa_bitmap_bytes(rows));
    }
}

/* Lays a piece out; with a base, makes it. */
static void place_rows(const stoa_memtable *table, const struct sizes *sizes, struct block *block) {
    const int32_t column_count = table->layout->schema->root.child_count;
    const bool is_number = table->layout->key->is_number;
    stoa_memtable_holder *holder = take(block, sizeof *holder);
    stoa_memtable_rows *rows = take(block,
                                    sizeof *rows + (size_t)column_count * sizeof *rows->columns);
    stoa_memtable_rows made = {
        .capacity = sizes->rows,
        .children = take(block, (size_t)column_count * sizeof *made.children),
        .sequences = take(block, sizes->rows * sizeof *made.sequences),
        .operations = take(block, sizes->rows),
    };
    if (is_number) {
        made.numbers = take(block, sizes->rows * sizeof *made.numbers);
    } else {
        made.key_capacity = text_capacity(sizes->before == NULL
                                              ? 0
                                              : sizes->before->key_offsets[sizes->before->staged],
                                          sizes->before == NULL ? 0 : sizes->before->staged,
                                          sizes->rows, sizes->key_bytes);
        made.key_offsets = take(block, ((size_t)sizes->rows + 1) * sizeof *made.key_offsets);
        made.key_bytes = take(block, made.key_capacity);
    }
    if (block->base != NULL) {
        *rows = made;
        *holder = (stoa_memtable_holder){
            .piece = {.batch = {.length = sizes->rows,
                                .n_children = column_count,
                                .n_buffers = 1,
                                .children = rows->children},
                      .keys = {sizes->rows, made.numbers, made.key_bytes, made.key_offsets},
                      .sequences = made.sequences,
                      .operations = made.operations},
            .rows = rows,
            .capacity = sizes->rows,
        };
        if (!is_number) {
            made.key_offsets[0] = 0;
        }
    }
    for (int32_t i = 0; i < column_count; i++) {
        stoa_memtable_column *column = block->base == NULL ? NULL : &rows->columns[i];
        place_column(&table->rules[i], block, sizes->rows,
                     column_capacity(sizes, &table->rules[i], i, sizes->key_bytes), column);
        if (column != NULL) {
            rows->children[i] = &column->array;
        }
    }
}

/* A piece that what `wanted` says fits into. */
static stoa_status begin_piece(stoa_memtable *table, const struct sizes *wanted, stoa_error *err) {
    const stoa_memtable_rows *before = wanted->before;
    struct sizes sizes = *wanted;
    struct block block = {0};
    void *memory = NULL;
    sizes.rows = ROWS_MIN;
    while (sizes.rows < ROWS_MAX &&
           (sizes.rows < wanted->rows || (before != NULL && sizes.rows < 2 * before->staged))) {
        sizes.rows *= 2;
    }
    const uint32_t least = wanted->rows > ROWS_MIN ? wanted->rows : ROWS_MIN;
    place_rows(table, &sizes, &block);
    while (block.size > PIECE_BYTES && sizes.rows > least) {
        const uint32_t fit = (uint32_t)((uint64_t)sizes.rows * PIECE_BYTES / block.size);
        sizes.rows = fit < least ? least : fit < sizes.rows - 1 ? fit : sizes.rows - 1;
        block.size = 0;
        place_rows(table, &sizes, &block);
    }
    STOA_TRY(stoa_memtable_make_room(table, err));
    STOA_TRY(stoa_pool_allocate(table->pool, block.size, &memory, err));
    const size_t size = block.size;
    block = (struct block){.base = memory};
    place_rows(table, &sizes, &block);
    STOA_ASSERT(block.size == size);
    stoa_memtable_holder *holder = memory;
    holder->block_bytes = size;
    stoa_memtable_stage_piece(table, holder);
    return STOA_OK;
}

/* Readers look at other bits of the byte meanwhile: stoa_memtable_bit. */
static void put_bit(uint8_t *bits, uint32_t row, bool value) {
    uint8_t byte = bits[row >> 3];
    byte = (uint8_t)((byte & ~(1u << (row & 7))) | (unsigned)value << (row & 7));
    __atomic_store_n(&bits[row >> 3], byte, __ATOMIC_RELAXED);
}

/* What is known of all rows (has_nulls, …) may then be more than there is, which is allowed. */
void stoa_memtable_rows_discard(stoa_memtable_holder *holder) {
    stoa_memtable_rows *rows = holder->rows;
    if (rows == NULL) {
        return;
    }
    const uint32_t staged = rows->staged;
    rows->staged = (uint32_t)atomic_load_explicit(&holder->piece.row_count, memory_order_relaxed);
    for (int64_t i = 0; i < holder->piece.batch.n_children; i++) {
        stoa_memtable_column *column = &rows->columns[i];
        if (column->array.n_buffers == 3) {
            column->byte_count = (size_t)((const int32_t *)column->buffers[1])[rows->staged];
        }
        for (uint32_t row = rows->staged; column->has_nulls && row < staged; row++) {
            put_bit(column->validity, row, true);
        }
    }
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static const stoa_memtable_rows *open_rows(const stoa_memtable *table) {
    return table->staged_pieces == 0
               ? NULL
               : stoa_memtable_holder_at(table, table->staged_pieces - 1)->rows;
}

static bool column_fits(const stoa_memtable_column *column, size_t size) {
    return size <= column->byte_capacity - column->byte_count;
}

/* Checks a row, and says whether its texts fit into the piece (NULL: none). */
static stoa_status check_row(const stoa_memtable *table, const stoa_cell *cells,
                             const stoa_memtable_rows *rows, bool *fits, stoa_error *err) {
    const int32_t count = table->layout->schema->root.child_count;
    for (int32_t i = 0; i < count; i++) {
        const stoa_cell_rule *rule = &table->rules[i];
        STOA_TRY(stoa_cell_rule_check(rule, &cells[i], err));
        if (rows != NULL && is_text(rule) && !cells[i].is_null) {
            *fits = *fits && column_fits(&rows->columns[i], cells[i].size);
        }
    }
    return STOA_OK;
}

static stoa_status check_key(const stoa_memtable *table, const stoa_cell *cells,
                             const stoa_memtable_rows *rows, bool *fits, stoa_error *err) {
    const stoa_key_format *key = table->layout->key;
    for (int32_t i = 0; i < key->part_count; i++) {
        const int32_t column = key->parts[i].column;
        STOA_TRY(stoa_cell_rule_check(&table->rules[column], &cells[i], err));
        if (rows != NULL && is_text(&table->rules[column])) {
            *fits = *fits && column_fits(&rows->columns[column], cells[i].size);
        }
    }
    return STOA_OK;
}

static inline void write_whole(const stoa_cell_rule *rule, uint8_t *values, uint32_t row,
                               int64_t value) {
    switch (rule->size) {
    case 0: put_bit(values, row, value != 0); break;
    case 1: values[row] = (uint8_t)value; break;
    case 2: ((uint16_t *)(void *)values)[row] = (uint16_t)value; break;
    case 4: ((uint32_t *)(void *)values)[row] = (uint32_t)value; break;
    default: ((uint64_t *)(void *)values)[row] = (uint64_t)value; break;
    }
}

static void write_text(stoa_memtable_column *column, uint32_t row, const void *bytes, size_t size) {
    if (size > 0) {
        memcpy(column->bytes + column->byte_count, bytes, size);
        column->byte_count += size;
    }
    ((int32_t *)(void *)column->values)[row + 1] = (int32_t)column->byte_count;
}

static void write_null(const stoa_cell_rule *rule, stoa_memtable_column *column, uint32_t row) {
    if (column->validity != NULL) {
        put_bit(column->validity, row, false);
        column->has_nulls = true;
    }
    if (is_text(rule)) {
        write_text(column, row, NULL, 0);
    } else if (rule->class == STOA_CELL_WHOLE) {
        write_whole(rule, column->values, row, 0);
    } else if (rule->class != STOA_CELL_NULL) {
        memset(column->values + row * rule->size, 0, rule->size);
    }
}

static inline void write_cell(const stoa_cell_rule *rule, stoa_memtable_column *column,
                              uint32_t row, const stoa_cell *cell) {
    if (cell->is_null) {
        write_null(rule, column, row);
        return;
    }
    switch (rule->class) {
    case STOA_CELL_WHOLE: write_whole(rule, column->values, row, cell->i); break;
    case STOA_CELL_FLOAT: ((float *)(void *)column->values)[row] = (float)cell->f; break;
    case STOA_CELL_DOUBLE: ((double *)(void *)column->values)[row] = cell->f; break;
    case STOA_CELL_DECIMAL:
    case STOA_CELL_FIXED:
        if (rule->size > 0) {
            memcpy(column->values + row * rule->size, cell->bytes, rule->size);
        }
        break;
    case STOA_CELL_STRING:
    case STOA_CELL_BINARY: write_text(column, row, cell->bytes, cell->size); break;
    case STOA_CELL_NULL:
    case STOA_CELL_NESTED: break;
    }
}

/* Of a deletion all columns but the key's are null, or 0. */
static void write_columns(const stoa_memtable *table, stoa_memtable_rows *rows, uint32_t row,
                          const stoa_cell *cells, bool keys_only) {
    const stoa_key_format *key = table->layout->key;
    const int32_t count = table->layout->schema->root.child_count;
    if (!keys_only) {
        for (int32_t i = 0; i < count; i++) {
            write_cell(&table->rules[i], &rows->columns[i], row, &cells[i]);
        }
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        if (table->layout->column_nodes[i] >= 0) {
            write_null(&table->rules[i], &rows->columns[i], row);
        }
    }
    for (int32_t i = 0; i < key->part_count; i++) {
        const int32_t column = key->parts[i].column;
        write_cell(&table->rules[column], &rows->columns[column], row, &cells[i]);
    }
}

static void note_version(stoa_memtable_rows *rows, uint32_t row, stoa_operation operation,
                         uint64_t sequence) {
    rows->sequences[row] = sequence;
    rows->operations[row] = (uint8_t)operation;
    rows->has_gaps = rows->has_gaps || sequence != rows->sequences[0] + row;
    rows->is_mixed = rows->is_mixed || operation != (stoa_operation)rows->operations[0];
}

/* The row fits. */
static void write_row(stoa_memtable *table, const stoa_cell *cells, stoa_operation operation,
                      uint64_t sequence) {
    stoa_memtable_rows *rows = stoa_memtable_holder_at(table, table->staged_pieces - 1)->rows;
    const bool keys_only = operation == STOA_OPERATION_DELETE;
    const uint32_t row = rows->staged++;
    note_version(rows, row, operation, sequence);
    if (rows->numbers != NULL) {
        rows->numbers[row] = stoa_cells_number(table->layout->key, cells, keys_only);
    } else {
        const uint32_t at = rows->key_offsets[row];
        if (table->key.size > 0) {
            memcpy(rows->key_bytes + at, table->key.data, table->key.size);
        }
        rows->key_offsets[row + 1] = at + (uint32_t)table->key.size;
    }
    write_columns(table, rows, row, cells, keys_only);
}

bool stoa_memtable_takes_rows(const stoa_memtable *table) {
    return table->nested_column < 0;
}

/* The row of a table whose columns all are required and of fixed width, behind those that are staged:
 * checked and written in one go, for it is not there before it is counted. */
static stoa_status write_required(const stoa_memtable *table, stoa_memtable_rows *rows,
                                  const stoa_cell *cells, stoa_error *err) {
    const int32_t count = table->layout->schema->root.child_count;
    const uint32_t row = rows->staged;
    for (int32_t i = 0; i < count; i++) {
        const stoa_cell_rule *rule = &table->rules[i];
        const stoa_cell *cell = &cells[i];
        STOA_TRY(stoa_cell_rule_check(rule, cell, err));
        if (rule->class == STOA_CELL_WHOLE) {
            write_whole(rule, rows->columns[i].values, row, cell->i);
        } else {
            write_cell(rule, &rows->columns[i], row, cell);
        }
    }
    return STOA_OK;
}

static stoa_status stage_required(stoa_memtable *table, const stoa_cell *cells,
                                  stoa_operation operation, uint64_t sequence, stoa_error *err) {
    const stoa_memtable_rows *before = open_rows(table);
    if (before == NULL || before->staged == before->capacity) {
        const struct sizes wanted = {.before = before, .cells = cells, .rows = 1};
        STOA_TRY(begin_piece(table, &wanted, err));
    }
    stoa_memtable_rows *rows = stoa_memtable_holder_at(table, table->staged_pieces - 1)->rows;
    STOA_TRY(write_required(table, rows, cells, err));
    rows->numbers[rows->staged] = stoa_cells_number(table->layout->key, cells, false);
    note_version(rows, rows->staged++, operation, sequence);
    return STOA_OK;
}

stoa_status stoa_memtable_stage_row(stoa_memtable *table, const stoa_cell *cells,
                                    stoa_operation operation, uint64_t sequence, stoa_error *err) {
    const stoa_key_format *key = table->layout->key;
    const bool keys_only = operation == STOA_OPERATION_DELETE;
    if (!keys_only && key->is_number && table->layout->row_bytes > 0) {
        return stage_required(table, cells, operation, sequence, err);
    }
    const stoa_memtable_rows *rows = open_rows(table);
    bool fits = rows != NULL && rows->staged < rows->capacity;
    if (!stoa_memtable_takes_rows(table)) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "column '%s': rows of nested columns come in batches",
                         table->rules[table->nested_column].field->name);
    }
    STOA_TRY(keys_only ? check_key(table, cells, rows, &fits, err)
                       : check_row(table, cells, rows, &fits, err));
    if (!key->is_number) {
        stoa_buffer_clear(&table->key);
        STOA_TRY(stoa_cells_key(key, cells, keys_only, key->part_count, &table->key, err));
        fits = fits && table->key.size <= rows->key_capacity - rows->key_offsets[rows->staged];
    }
    if (!fits) {
        const struct sizes wanted = {.before = rows,
                                     .cells = keys_only ? NULL : cells,
                                     .rows = 1,
                                     .key_bytes = table->key.size};
        STOA_TRY(begin_piece(table, &wanted, err));
    }
    write_row(table, cells, operation, sequence);
    return STOA_OK;
}

/* ---- Small batches --------------------------------------------------------------------------- */

/* Bytes of a column's values; SIZE_MAX where they are not all there. */
static size_t column_bytes(const stoa_cell_rule *rule, const struct ArrowArray *batch,
                           int32_t column) {
    if (rule->class == STOA_CELL_NULL) {
        return 0;
    }
    if (batch->children[column]->buffers[1] == NULL) {
        return SIZE_MAX;
    }
    return is_text(rule) ? text_bytes(batch, column) : (size_t)batch->length * rule->size;
}

bool stoa_memtable_joins(const stoa_memtable *table, const struct ArrowArray *batch,
                         stoa_operation operation) {
    const int32_t count = table->layout->schema->root.child_count;
    size_t bytes = 0;
    bool joins = operation != STOA_OPERATION_DELETE && table->nested_column < 0 &&
                 batch->length > 0 && batch->length <= JOINED_ROWS_MAX;
    for (int32_t i = 0; i < count && joins; i++) {
        const size_t more = column_bytes(&table->rules[i], batch, i);
        joins = more <= JOINED_BYTES_MAX - bytes;
        bytes += more;
    }
    return joins;
}

static bool batch_fits(const stoa_memtable *table, const stoa_memtable_rows *rows,
                       const struct ArrowArray *batch, size_t key_bytes) {
    const int32_t count = table->layout->schema->root.child_count;
    bool fits = rows != NULL && batch->length <= rows->capacity - rows->staged &&
                (rows->numbers != NULL ||
                 key_bytes <= rows->key_capacity - rows->key_offsets[rows->staged]);
    for (int32_t i = 0; i < count && fits; i++) {
        fits = !is_text(&table->rules[i]) ||
               column_fits(&rows->columns[i], text_bytes(batch, i));
    }
    return fits;
}

static void join_texts(stoa_memtable_column *column, uint32_t row, const int32_t *offsets,
                       const uint8_t *bytes, uint32_t count) {
    int32_t *out = (int32_t *)(void *)column->values + row;
    const int32_t moved = out[0] - offsets[0];
    for (uint32_t i = 1; i <= count; i++) {
        out[i] = offsets[i] + moved;
    }
    const size_t size = (size_t)(offsets[count] - offsets[0]);
    if (size > 0) {
        memcpy(column->bytes + column->byte_count, bytes + offsets[0], size);
        column->byte_count += size;
    }
}

/* Values of `array` from its position `at` on. */
static void join_column(const stoa_cell_rule *rule, stoa_memtable_column *column, uint32_t row,
                        const struct ArrowArray *array, int64_t at, uint32_t count) {
    const uint8_t *values = rule->class == STOA_CELL_NULL ? NULL : array->buffers[1];
    if (values == NULL) {
        return;
    }
    const bool has_nulls = column->validity != NULL && array->null_count != 0 &&
                           array->buffers[0] != NULL;
    for (uint32_t i = 0; has_nulls && i < count; i++) {
        if (!stoa_bit_get(array->buffers[0], at + i)) {
            put_bit(column->validity, row + i, false);
            column->has_nulls = true;
        }
    }
    if (is_text(rule)) {
        join_texts(column, row, (const int32_t *)(const void *)values + at, array->buffers[2],
                   count);
    } else if (rule->size > 0) {
        memcpy(column->values + row * rule->size, values + (size_t)at * rule->size,
               count * rule->size);
    } else {
        for (uint32_t i = 0; i < count; i++) {
            put_bit(column->values, row + i, stoa_bit_get(values, at + i));
        }
    }
}

static void join_keys(stoa_memtable_rows *rows, uint32_t row, const stoa_keys_view *keys) {
    const size_t count = (size_t)keys->count;
    if (rows->numbers != NULL) {
        memcpy(rows->numbers + row, keys->numbers, count * sizeof *keys->numbers);
        return;
    }
    uint32_t *out = rows->key_offsets + row;
    const size_t size = keys->offsets[count] - keys->offsets[0];
    if (size > 0) { /* a text of a key may be empty */
        memcpy(rows->key_bytes + out[0], keys->bytes + keys->offsets[0], size);
    }
    for (size_t i = 1; i <= count; i++) {
        out[i] = out[0] + keys->offsets[i] - keys->offsets[0];
    }
}

stoa_status stoa_memtable_stage_copy(stoa_memtable *table, const struct ArrowArray *batch,
                                     const stoa_keys_view *keys, stoa_operation operation,
                                     uint64_t first_sequence, stoa_error *err) {
    const int32_t columns = table->layout->schema->root.child_count;
    const uint32_t count = (uint32_t)batch->length;
    const struct sizes wanted = {
        .before = open_rows(table),
        .batch = batch,
        .rows = count,
        .key_bytes = keys->numbers != NULL ? 0 : keys->offsets[count] - keys->offsets[0],
    };
    if (!batch_fits(table, wanted.before, batch, wanted.key_bytes)) {
        STOA_TRY(begin_piece(table, &wanted, err));
    }
    stoa_memtable_rows *rows = stoa_memtable_holder_at(table, table->staged_pieces - 1)->rows;
    const uint32_t first = rows->staged;
    rows->staged += count;
    for (uint32_t i = 0; i < count; i++) {
        note_version(rows, first + i, operation, first_sequence + i);
    }
    join_keys(rows, first, keys);
    for (int32_t i = 0; i < columns; i++) {
        const struct ArrowArray *array = batch->children[i];
        join_column(&table->rules[i], &rows->columns[i], first, array,
                    array->offset + batch->offset, count);
    }
    return STOA_OK;
}
