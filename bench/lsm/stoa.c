/* The driver's questions to a state table: ten columns, the key one of them; or a key of 16 bytes and a
 * value of 100 bytes. */
#include <stoa/state.h>

#include "driver.h"
#include "lsm/store.h"
#include "sched/sched.h"

enum { COLUMNS = 10 /* at most */ };

static stoa_pool *pool;
static stoa_sched *sched;
static stoa_fs_registry *file_systems;
static stoa_store *store;
static stoa_state *table;
static stoa_row *one, *all;
static stoa_state_iterator *seeker;
static struct ArrowSchema arrow, keys_arrow;
static stoa_error err;

static void check(stoa_status status) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "stoa: %s\n", err.message);
        exit(1);
    }
}

static const struct shape {
    const char *columns, *key, *key_name;
    const char *total; /* the column that has it */
    int total_column;
} shapes[] = {
    {"order_id uint64 not null, customer_id uint64 not null, product_id uint64 not null, quantity uint32 "
     "not null, unit_price double not null, total_amount double not null, status uint8 not null, "
     "payment_method uint8 not null, order_timestamp timestamp_ms not null, address_hash uint64 not null",
     "order_id uint64 not null", "order_id", "total_amount", 5},
    {"key fixed[16] not null, value binary not null", "key fixed[16] not null", "key", "value", 1},
};
static const struct shape *shape;

static void engine_open(const char *folder) {
    const stoa_schema *schema = NULL, *key = NULL;
    shape = &shapes[rows_are_pairs];
    check(stoa_pool_create((size_t)1 << 30, NULL, &pool, &err));
    check(stoa_sched_create(pool, NULL, &sched, &err));
    check(stoa_fs_registry_create(pool, &file_systems, &err));
    const stoa_store_options options = {.context = {.pool = pool, .sched = sched},
                                        .file_systems = file_systems,
                                        .directory = folder,
                                        .create = true};
    check(stoa_store_open(&options, &store, &err));
    check(stoa_schema_parse(pool, shape->columns, &schema, &err));
    check(stoa_schema_parse(pool, shape->key, &key, &err));
    check(stoa_schema_to_arrow(pool, schema, &arrow, &err));
    check(stoa_schema_to_arrow(pool, key, &keys_arrow, &err));
    if (stoa_store_open_table(store, 1, &table, &err) != STOA_OK) {
        check(stoa_store_create_table(store, 1, schema,
                                      &(stoa_state_table_options){.key = shape->key_name}, &err));
        check(stoa_store_open_table(store, 1, &table, &err));
    }
    stoa_schema_close(schema);
    stoa_schema_close(key);
    check(stoa_row_create(table, shape->total, &one, &err));
    check(stoa_row_create(table, NULL, &all, &err));
}

static void engine_close(void) {
    stoa_row_close(one);
    stoa_row_close(all);
    stoa_state_iterator_close(seeker);
    seeker = NULL;
    stoa_state_close(table);
    stoa_store_close(store);
    stoa_fs_registry_close(file_systems);
    stoa_sched_close(sched);
    arrow.release(&arrow);
    keys_arrow.release(&keys_arrow);
    stoa_pool_close(pool);
}

/* ---- Writes ------------------------------------------------------------------------------------ */

static void cells_of_order(const char *bytes, stoa_cell *cells) {
    struct order row;
    memcpy(&row, bytes, sizeof row);
    memcpy(cells,
           (stoa_cell[COLUMNS]){{.i = (int64_t)__builtin_bswap64(row.id)},
                                {.i = (int64_t)row.customer},
                                {.i = (int64_t)row.product},
                                {.i = row.quantity},
                                {.f = row.unit_price},
                                {.f = row.total},
                                {.i = row.status},
                                {.i = row.payment},
                                {.i = row.time_ms},
                                {.i = (int64_t)row.address}},
           COLUMNS * sizeof *cells);
}

static void engine_put(const char *row, bool sync) {
    stoa_cell cells[COLUMNS];
    stoa_error error; /* of this thread */
    if (rows_are_pairs) {
        cells[0] = (stoa_cell){.bytes = row, .size = rows_key_size};
        cells[1] = (stoa_cell){.bytes = row + rows_key_size, .size = rows_value_size};
    } else {
        cells_of_order(row, cells);
    }
    if (stoa_state_put(table, cells, sync ? STOA_DURABILITY_SYNC : STOA_DURABILITY_BUFFERED,
                       &error) != STOA_OK) {
        (void)fprintf(stderr, "stoa: %s\n", error.message);
        exit(1);
    }
}

static void release_batch(struct ArrowArray *array) {
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release != NULL) {
            array->children[i]->release(array->children[i]);
        }
        free(array->children[i]);
    }
    for (int64_t i = 0; i < array->n_buffers; i++) {
        free((void *)(uintptr_t)array->buffers[i]);
    }
    free(array->buffers);
    free(array->children);
    array->release = NULL;
}

static struct ArrowArray make_array(int64_t length, int64_t buffers, int64_t children) {
    struct ArrowArray array = {.length = length,
                               .n_buffers = buffers,
                               .n_children = children,
                               .release = release_batch};
    array.buffers = calloc((size_t)buffers, sizeof *array.buffers);
    array.children = children > 0 ? rows_take((size_t)children * sizeof *array.children) : NULL;
    return array;
}

static void *add_column(struct ArrowArray *batch, int column, size_t width) {
    void *values = NULL;
    batch->children[column] = rows_take(sizeof(struct ArrowArray));
    *batch->children[column] = make_array(batch->length, 3, 0);
    batch->children[column]->n_buffers = 2;
    if (posix_memalign(&values, 64, (size_t)(batch->length + 1) * width) != 0) {
        exit(1);
    }
    batch->children[column]->buffers[1] = values;
    return values;
}

/* The bytes of a column of them. */
static void add_buffer(struct ArrowArray *column, void *values) {
    column->n_buffers = 3;
    column->buffers[2] = values;
}

/* The program's rows as a batch: what it costs to bring them into columns is part of the figure. */
static struct ArrowArray batch_of_orders(int64_t first, int64_t count) {
    struct ArrowArray batch = make_array(count, 1, COLUMNS);
    const struct order *rows = (const struct order *)rows_data + first;
    uint64_t *id = add_column(&batch, 0, 8), *customer = add_column(&batch, 1, 8);
    uint64_t *product = add_column(&batch, 2, 8);
    uint32_t *quantity = add_column(&batch, 3, 4);
    double *price = add_column(&batch, 4, 8), *total = add_column(&batch, 5, 8);
    uint8_t *status = add_column(&batch, 6, 1), *payment = add_column(&batch, 7, 1);
    int64_t *time_ms = add_column(&batch, 8, 8);
    uint64_t *address = add_column(&batch, 9, 8);
    for (int64_t i = 0; i < count; i++) {
        const struct order *row = &rows[i];
        id[i] = __builtin_bswap64(row->id);
        customer[i] = row->customer;
        product[i] = row->product;
        quantity[i] = row->quantity;
        price[i] = row->unit_price;
        total[i] = row->total;
        status[i] = row->status;
        payment[i] = row->payment;
        time_ms[i] = row->time_ms;
        address[i] = row->address;
    }
    return batch;
}

static struct ArrowArray batch_of_pairs(int64_t first, int64_t count) {
    struct ArrowArray batch = make_array(count, 1, 2);
    char *keys = add_column(&batch, 0, rows_key_size);
    int32_t *offsets = add_column(&batch, 1, sizeof *offsets);
    char *values = rows_take((size_t)count * rows_value_size);
    add_buffer(batch.children[1], values);
    for (int64_t i = 0; i < count; i++) {
        const char *row = rows_at(first + i);
        memcpy(keys + (size_t)i * rows_key_size, row, rows_key_size);
        memcpy(values + (size_t)i * rows_value_size, row + rows_key_size, rows_value_size);
        offsets[i + 1] = (int32_t)((size_t)(i + 1) * rows_value_size);
    }
    offsets[0] = 0;
    return batch;
}

static void engine_put_many(int64_t first, int64_t count) {
    struct ArrowArray batch = rows_are_pairs ? batch_of_pairs(first, count)
                                             : batch_of_orders(first, count);
    check(stoa_state_put_batch(table, &arrow, &batch, STOA_DURABILITY_BUFFERED, &err));
}

static double engine_settle(void) {
    check(stoa_state_flush(table, &err));
    check(stoa_state_settle(table, &err));
    return 0;
}

static void engine_compact(void) {
    check(stoa_state_compact(table, NULL, 0, NULL, 0, NULL, &err));
}

/* ---- Gets -------------------------------------------------------------------------------------- */

static bool get(const char *key, stoa_row *row) {
    bool found = false;
    uint64_t id = 0;
    memcpy(&id, key, sizeof id);
    const stoa_cell cell = {.i = (int64_t)__builtin_bswap64(id),
                            .bytes = key,
                            .size = rows_key_size};
    check(stoa_state_get(table, &cell, NULL, row, &found, &err));
    return found;
}

static bool engine_get_total(const char *key, double *out) {
    const bool found = get(key, one);
    *out = 0;
    if (found) {
        const stoa_cell *cell = stoa_row_cells(one);
        *out = rows_are_pairs ? rows_total(cell->bytes) : cell->f;
    }
    return found;
}

static void order_of_cells(const stoa_cell *cells, char *out_row) {
    const struct order row = {
        .id = __builtin_bswap64((uint64_t)cells[0].i),
        .customer = (uint64_t)cells[1].i,
        .product = (uint64_t)cells[2].i,
        .quantity = (uint32_t)cells[3].i,
        .unit_price = cells[4].f,
        .total = cells[5].f,
        .status = (uint8_t)cells[6].i,
        .payment = (uint8_t)cells[7].i,
        .time_ms = cells[8].i,
        .address = (uint64_t)cells[9].i,
    };
    memcpy(out_row, &row, sizeof row);
}

static bool engine_get_row(const char *key, char *out_row) {
    const bool found = get(key, all);
    const stoa_cell *cells = stoa_row_cells(all);
    if (found && rows_are_pairs) {
        memcpy(out_row, cells[0].bytes, rows_key_size);
        memcpy(out_row + rows_key_size, cells[1].bytes, rows_value_size);
    } else if (found) {
        order_of_cells(cells, out_row);
    }
    return found;
}

/* Of row `i` of a column that has totals. */
static double total_in(const struct ArrowArray *column, int64_t i) {
    const int64_t at = column->offset + i;
    return rows_are_pairs ? rows_total((const char *)column->buffers[2] +
                                       ((const int32_t *)column->buffers[1])[at])
                          : ((const double *)column->buffers[1])[at];
}

static void engine_get_64(const char (*keys)[ROWS_MAX_KEY], double *totals) {
    struct ArrowArray batch = make_array(64, 1, 1), rows;
    uint8_t found[8];
    char *values = add_column(&batch, 0, rows_key_size);
    for (int i = 0; i < 64; i++) {
        uint64_t id = 0;
        memcpy(&id, keys[i], sizeof id);
        id = __builtin_bswap64(id);
        memcpy(values + (size_t)i * rows_key_size, rows_are_pairs ? keys[i] : (const char *)&id,
               rows_key_size);
    }
    check(stoa_state_get_many(table, &keys_arrow, &batch, shape->total, NULL, NULL, &rows, found,
                              &err));
    for (int i = 0; i < 64; i++) {
        totals[i] = total_in(rows.children[0], i);
    }
    rows.release(&rows);
}

/* ---- Scans ------------------------------------------------------------------------------------- */

static double engine_seek_100(const char *key) {
    double sum = 0;
    int64_t left = 100;
    uint64_t id = 0;
    memcpy(&id, key, sizeof id);
    if (seeker == NULL) {
        check(stoa_state_iterator_create(table, &(stoa_state_scan_options){0}, &seeker, &err));
    }
    check(stoa_state_iterator_seek(seeker,
                                   &(stoa_cell){.i = (int64_t)__builtin_bswap64(id),
                                                .bytes = key,
                                                .size = rows_key_size},
                                   1, &err));
    while (left > 0) {
        struct ArrowArray rows;
        check(stoa_state_iterator_next(seeker, left, &rows, &err));
        if (rows.release == NULL) {
            break;
        }
        for (int64_t i = 0; i < rows.length; i++) {
            sum += total_in(rows.children[shape->total_column], i);
        }
        left -= rows.length;
        rows.release(&rows);
    }
    return sum;
}

static double engine_filter(void) {
    const stoa_state_scan_options options = {.columns = shape->total, .where = "status = 4"};
    struct ArrowArrayStream stream;
    struct ArrowArray rows;
    double sum = 0;
    check(stoa_state_scan(table, &options, &stream, &err));
    while (stream.get_next(&stream, &rows) == 0 && rows.release != NULL) {
        const struct ArrowArray *totals = rows.children[0];
        const double *values = (const double *)totals->buffers[1] + totals->offset;
        for (int64_t i = 0; i < rows.length; i++) {
            sum += values[i];
        }
        rows.release(&rows);
    }
    stream.release(&stream);
    return sum;
}

#define ADD(type)                                                                                  \
    for (int64_t i = 0; i < length; i++) {                                                         \
        sum += ((const type *)column->buffers[1])[column->offset + i];                             \
    }                                                                                              \
    break

static uint64_t sum_column(const struct ArrowArray *column, char format, int64_t length) {
    uint64_t sum = 0;
    switch (format) {
    case 'I': ADD(uint32_t);
    case 'C': ADD(uint8_t);
    default: ADD(uint64_t); /* of doubles their bits */
    }
    return sum;
}

static uint64_t sum_orders(const struct ArrowArray *rows) {
    uint64_t sum = 0;
    for (int c = 0; c < COLUMNS; c++) {
        sum += sum_column(rows->children[c], arrow.children[c]->format[0], rows->length);
    }
    return sum;
}

static uint64_t sum_pairs(const struct ArrowArray *rows) {
    const struct ArrowArray *keys = rows->children[0], *values = rows->children[1];
    const char *key = (const char *)keys->buffers[1] + (size_t)keys->offset * rows_key_size;
    const int32_t *offsets = (const int32_t *)values->buffers[1] + values->offset;
    uint64_t sum = 0;
    for (int64_t i = 0; i < rows->length; i++) {
        sum += rows_sum(key + (size_t)i * rows_key_size,
                        (const char *)values->buffers[2] + offsets[i]);
    }
    return sum;
}

static double engine_scan(void) {
    struct ArrowArrayStream stream;
    struct ArrowArray rows;
    uint64_t sum = 0;
    check(stoa_state_scan(table, &(stoa_state_scan_options){0}, &stream, &err));
    while (stream.get_next(&stream, &rows) == 0 && rows.release != NULL) {
        sum += rows_are_pairs ? sum_pairs(&rows) : sum_orders(&rows);
        rows.release(&rows);
    }
    stream.release(&stream);
    return (double)sum;
}
