/* The driver's questions to a state table: ten columns, the key one of them. */
#include <stoa/state.h>

#include "driver.h"
#include "lsm/store.h"
#include "sched/sched.h"

enum { COLUMNS = 10 };

static stoa_pool *pool;
static stoa_sched *sched;
static stoa_fs_registry *file_systems;
static stoa_store *store;
static stoa_state *orders;
static stoa_row *one, *all;
static stoa_state_iterator *seeker;
static struct ArrowSchema arrow;
static struct ArrowSchema keys_arrow;
static stoa_error err;

static void check(stoa_status status) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "stoa: %s\n", err.message);
        exit(1);
    }
}

static const char columns[] =
    "order_id uint64 not null, customer_id uint64 not null, product_id uint64 not null, quantity uint32 "
    "not null, unit_price double not null, total_amount double not null, status uint8 not null, "
    "payment_method uint8 not null, order_timestamp timestamp_ms not null, address_hash uint64 not null";

static void engine_open(const char *folder) {
    const stoa_schema *schema = NULL, *key = NULL;
    check(stoa_pool_create((size_t)1 << 30, NULL, &pool, &err));
    check(stoa_sched_create(pool, NULL, &sched, &err));
    check(stoa_fs_registry_create(pool, &file_systems, &err));
    const stoa_store_options options = {.context = {.pool = pool, .sched = sched},
                                        .file_systems = file_systems,
                                        .directory = folder,
                                        .create = true};
    check(stoa_store_open(&options, &store, &err));
    check(stoa_schema_parse(pool, columns, &schema, &err));
    check(stoa_schema_parse(pool, "order_id uint64 not null", &key, &err));
    check(stoa_schema_to_arrow(pool, schema, &arrow, &err));
    check(stoa_schema_to_arrow(pool, key, &keys_arrow, &err));
    if (stoa_store_open_table(store, 1, &orders, &err) != STOA_OK) {
        check(stoa_store_create_table(store, 1, schema,
                                      &(stoa_state_table_options){.key = "order_id"}, &err));
        check(stoa_store_open_table(store, 1, &orders, &err));
    }
    stoa_schema_close(schema);
    stoa_schema_close(key);
    check(stoa_row_create(orders, "total_amount", &one, &err));
    check(stoa_row_create(orders, NULL, &all, &err));
}

static void engine_close(void) {
    stoa_row_close(one);
    stoa_row_close(all);
    stoa_state_iterator_close(seeker);
    seeker = NULL;
    stoa_state_close(orders);
    stoa_store_close(store);
    stoa_fs_registry_close(file_systems);
    stoa_sched_close(sched);
    arrow.release(&arrow);
    keys_arrow.release(&keys_arrow);
    stoa_pool_close(pool);
}

/* ---- Writes ------------------------------------------------------------------------------------ */

static void engine_put(const struct order *row, bool sync) {
    const stoa_cell cells[COLUMNS] = {
        {.i = (int64_t)row->id},      {.i = (int64_t)row->customer}, {.i = (int64_t)row->product},
        {.i = row->quantity},         {.f = row->unit_price},        {.f = row->total},
        {.i = row->status},           {.i = row->payment},           {.i = row->time_ms},
        {.i = (int64_t)row->address},
    };
    stoa_error error; /* of this thread */
    if (stoa_state_put(orders, cells, sync ? STOA_DURABILITY_SYNC : STOA_DURABILITY_BUFFERED,
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
    array.children = children > 0 ? driver_take((size_t)children * sizeof *array.children) : NULL;
    return array;
}

static void *add_column(struct ArrowArray *batch, int column, size_t width) {
    void *values = NULL;
    batch->children[column] = driver_take(sizeof(struct ArrowArray));
    *batch->children[column] = make_array(batch->length, 2, 0);
    if (posix_memalign(&values, 64, (size_t)batch->length * width) != 0) {
        exit(1);
    }
    batch->children[column]->buffers[1] = values;
    return values;
}

/* The program's rows as a batch: what it costs to bring them into columns is part of the figure. */
static void engine_put_many(const struct order *rows, const uint32_t *order, int64_t count) {
    struct ArrowArray batch = make_array(count, 1, COLUMNS);
    uint64_t *id = add_column(&batch, 0, 8), *customer = add_column(&batch, 1, 8);
    uint64_t *product = add_column(&batch, 2, 8);
    uint32_t *quantity = add_column(&batch, 3, 4);
    double *price = add_column(&batch, 4, 8), *total = add_column(&batch, 5, 8);
    uint8_t *status = add_column(&batch, 6, 1), *payment = add_column(&batch, 7, 1);
    int64_t *time_ms = add_column(&batch, 8, 8);
    uint64_t *address = add_column(&batch, 9, 8);
    for (int64_t i = 0; i < count; i++) {
        const struct order *row = &rows[order[i]];
        id[i] = row->id;
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
    check(stoa_state_put_batch(orders, &arrow, &batch, STOA_DURABILITY_BUFFERED, &err));
}

static double engine_settle(void) {
    check(stoa_state_flush(orders, &err));
    check(stoa_state_settle(orders, &err));
    return 0;
}

static void engine_compact(void) {
    check(stoa_state_compact(orders, NULL, 0, NULL, 0, NULL, &err));
}

/* ---- Gets -------------------------------------------------------------------------------------- */

static bool engine_get_total(uint64_t id, double *out) {
    bool found = false;
    check(stoa_state_get(orders, &(stoa_cell){.i = (int64_t)id}, NULL, one, &found, &err));
    *out = found ? stoa_row_cells(one)->f : 0;
    return found;
}

static bool engine_get_row(uint64_t id, struct order *out) {
    bool found = false;
    check(stoa_state_get(orders, &(stoa_cell){.i = (int64_t)id}, NULL, all, &found, &err));
    if (found) {
        const stoa_cell *cells = stoa_row_cells(all);
        *out = (struct order){
            .id = (uint64_t)cells[0].i,
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
    }
    return found;
}

static void engine_get_64(const uint64_t *ids, double *totals) {
    struct ArrowArray keys = make_array(64, 1, 1), rows;
    uint8_t found[8];
    memcpy(add_column(&keys, 0, 8), ids, 64 * sizeof *ids);
    check(stoa_state_get_many(orders, &keys_arrow, &keys, "total_amount", NULL, NULL, &rows, found,
                              &err));
    memcpy(totals, rows.children[0]->buffers[1], 64 * sizeof *totals);
    rows.release(&rows);
}

/* ---- Scans ------------------------------------------------------------------------------------- */

static double engine_seek_100(uint64_t id) {
    double sum = 0;
    int64_t left = 100;
    if (seeker == NULL) {
        check(stoa_state_iterator_create(orders, &(stoa_state_scan_options){0}, &seeker, &err));
    }
    check(stoa_state_iterator_seek(seeker, &(stoa_cell){.i = (int64_t)id}, 1, &err));
    while (left > 0) {
        struct ArrowArray rows;
        check(stoa_state_iterator_next(seeker, left, &rows, &err));
        if (rows.release == NULL) {
            break;
        }
        const struct ArrowArray *totals = rows.children[5];
        for (int64_t i = 0; i < rows.length; i++) {
            sum += ((const double *)totals->buffers[1])[totals->offset + i];
        }
        left -= rows.length;
        rows.release(&rows);
    }
    return sum;
}

static double engine_filter(void) {
    const stoa_state_scan_options options = {.columns = "total_amount", .where = "status = 4"};
    struct ArrowArrayStream stream;
    struct ArrowArray rows;
    double sum = 0;
    check(stoa_state_scan(orders, &options, &stream, &err));
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
        sum += (double)((const type *)column->buffers[1])[column->offset + i];                     \
    }                                                                                              \
    break

static double sum_column(const struct ArrowArray *column, char format, int64_t length) {
    double sum = 0;
    switch (format) {
    case 'L': ADD(uint64_t);
    case 'I': ADD(uint32_t);
    case 'C': ADD(uint8_t);
    case 't': ADD(int64_t);
    default: ADD(double);
    }
    return sum;
}

static double engine_scan(void) {
    struct ArrowArrayStream stream;
    struct ArrowArray rows;
    double sum = 0;
    check(stoa_state_scan(orders, &(stoa_state_scan_options){0}, &stream, &err));
    while (stream.get_next(&stream, &rows) == 0 && rows.release != NULL) {
        for (int c = 0; c < COLUMNS; c++) {
            sum += sum_column(rows.children[c], arrow.children[c]->format[0], rows.length);
        }
        rows.release(&rows);
    }
    stream.release(&stream);
    return sum;
}
