/* The generator: splitmix64 from a fixed seed, one draw for customer and product, one for the rest. */
#include "orders.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 10, PRODUCTS = 5000 };

static const struct {
    const char *name;
    const char *format;
    size_t width;
} columns[COLUMNS] = {
    {"order_id", "L", 8},   {"customer_id", "L", 8},  {"product_id", "L", 8},
    {"quantity", "I", 4},   {"unit_price", "g", 8},   {"total_amount", "g", 8},
    {"status", "C", 1},     {"payment_method", "C", 1}, {"order_timestamp", "tsm:", 8},
    {"address_hash", "L", 8},
};

struct orders {
    int64_t row_count;
    int64_t batch_rows;
    int64_t next_row;
    uint64_t state;
    int64_t time_ms;
    double prices[PRODUCTS];
};

static void *take(size_t size) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, size == 0 ? 64 : size) != 0) {
        (void)fputs("no memory for the orders\n", stderr);
        exit(1);
    }
    memset(memory, 0, size);
    return memory;
}

static uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static uint64_t draw(struct orders *orders) {
    return mix(orders->state += UINT64_C(0x9e3779b97f4a7c15));
}

static void schema_release(struct ArrowSchema *schema) {
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release != NULL) {
            schema->children[i]->release(schema->children[i]);
        }
        free(schema->children[i]);
    }
    free(schema->children);
    schema->release = NULL;
}

static int orders_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    (void)stream;
    *out = (struct ArrowSchema){.format = "+s",
                                .name = "",
                                .n_children = COLUMNS,
                                .children = take(COLUMNS * sizeof(struct ArrowSchema *)),
                                .release = schema_release};
    for (int i = 0; i < COLUMNS; i++) {
        out->children[i] = take(sizeof(struct ArrowSchema));
        *out->children[i] = (struct ArrowSchema){.format = columns[i].format,
                                                 .name = columns[i].name,
                                                 .release = schema_release};
    }
    return 0;
}

static void array_release(struct ArrowArray *array) {
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release != NULL) {
            array->children[i]->release(array->children[i]);
        }
        free(array->children[i]);
    }
    for (int64_t i = 0; i < array->n_buffers; i++) {
        free((void *)(uintptr_t)array->buffers[i]);
    }
    free(array->children);
    free(array->buffers);
    array->release = NULL;
}

static struct ArrowArray make_array(int64_t length, int64_t buffer_count, int64_t child_count) {
    return (struct ArrowArray){.length = length,
                               .n_buffers = buffer_count,
                               .n_children = child_count,
                               .buffers = take((size_t)buffer_count * sizeof(void *)),
                               .children = take((size_t)child_count * sizeof(void *)),
                               .release = array_release};
}

static void fill_row(struct orders *orders, void **data, int64_t i) {
    uint64_t first = draw(orders);
    uint64_t second = draw(orders);
    double share = (double)(first & 0xffffffff) / 4294967296.0;
    uint64_t customer = 100000 + (uint64_t)(share * share * 1000000.0);
    uint64_t product = (first >> 32) % PRODUCTS;
    uint32_t quantity = 1 + (uint32_t)((second & 0xff) % 10);
    uint32_t status = (uint32_t)(second >> 8) & 0xff;
    orders->time_ms += (int64_t)((second >> 24) % 200);
    ((uint64_t *)data[0])[i] = 1000000 + (uint64_t)(orders->next_row + i);
    ((uint64_t *)data[1])[i] = customer;
    ((uint64_t *)data[2])[i] = 1000 + product;
    ((uint32_t *)data[3])[i] = quantity;
    ((double *)data[4])[i] = orders->prices[product];
    ((double *)data[5])[i] = orders->prices[product] * quantity;
    ((uint8_t *)data[6])[i] =
        (uint8_t)(status < 154 ? 4 : status < 205 ? 3 : status < 230 ? 2 : status < 245 ? 1 : 0);
    ((uint8_t *)data[7])[i] = (uint8_t)(((second >> 16) & 0xff) % 4);
    ((int64_t *)data[8])[i] = orders->time_ms;
    ((uint64_t *)data[9])[i] = mix(customer + UINT64_C(0x9e3779b97f4a7c15));
}

static int orders_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    struct orders *orders = stream->private_data;
    int64_t left = orders->row_count - orders->next_row;
    int64_t length = left < orders->batch_rows ? left : orders->batch_rows;
    void *data[COLUMNS];
    *out = (struct ArrowArray){0};
    if (length == 0) {
        return 0;
    }
    *out = make_array(length, 1, COLUMNS);
    for (int c = 0; c < COLUMNS; c++) {
        data[c] = take((size_t)length * columns[c].width);
        out->children[c] = take(sizeof(struct ArrowArray));
        *out->children[c] = make_array(length, 2, 0);
        out->children[c]->buffers[1] = data[c];
    }
    for (int64_t i = 0; i < length; i++) {
        fill_row(orders, data, i);
    }
    orders->next_row += length;
    return 0;
}

static const char *orders_error(struct ArrowArrayStream *stream) {
    (void)stream;
    return NULL;
}

static void orders_release(struct ArrowArrayStream *stream) {
    free(stream->private_data);
    stream->release = NULL;
}

void orders_stream(int64_t row_count, int64_t batch_rows, struct ArrowArrayStream *out) {
    struct orders *orders = take(sizeof *orders);
    orders->row_count = row_count;
    orders->batch_rows = batch_rows;
    orders->state = 42;
    orders->time_ms = INT64_C(1700000000000);
    for (int i = 0; i < PRODUCTS; i++) {
        orders->prices[i] = (double)(99 + draw(orders) % 50000) / 100.0;
    }
    *out = (struct ArrowArrayStream){.get_schema = orders_schema,
                                     .get_next = orders_next,
                                     .get_last_error = orders_error,
                                     .release = orders_release,
                                     .private_data = orders};
}
