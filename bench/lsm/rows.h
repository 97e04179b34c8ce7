/* The rows that every engine is given. Engines of bytes keep a row as it lies here: a key whose bytes
 * are in the order of the keys, then a value. All keys end in an even byte, so that there are keys in
 * between that are missing.
 *
 *     orders   62 bytes: a key of 8 bytes, evenly spaced, and nine columns in 54 bytes
 *     kv       116 bytes: a key of 16 random bytes, and a value of 100 bytes, half of them random */
#ifndef STOA_BENCH_LSM_ROWS_H
#define STOA_BENCH_LSM_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orders.h"

struct __attribute__((packed)) order {
    uint64_t id; /* big-endian */
    uint64_t customer, product;
    uint32_t quantity;
    double unit_price, total;
    uint8_t status, payment;
    int64_t time_ms;
    uint64_t address;
};

struct __attribute__((packed)) pair {
    uint8_t key[16];
    double total;
    uint8_t rest[92];
};
_Static_assert(sizeof(struct order) == 62 && sizeof(struct pair) == 116, "as the documents say");

enum { ROWS_MAX_SIZE = sizeof(struct pair), ROWS_MAX_KEY = 16 };

static bool rows_are_pairs;
static size_t rows_key_size, rows_value_size, rows_size;
static size_t rows_total_at; /* where a value has its total, a double */
static int64_t rows_count;
static char *rows_data;

static void *rows_take(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) {
        (void)fputs("no memory for the rows\n", stderr);
        exit(1);
    }
    return memory;
}

static const char *rows_at(int64_t i) {
    return rows_data + (size_t)i * rows_size;
}

static double rows_total(const char *value) {
    double total = 0;
    memcpy(&total, value + rows_total_at, sizeof total);
    return total;
}

/* The total of an order whose status is 4, else nothing. */
static inline double rows_filter(const char *value) {
    return value[offsetof(struct order, status) - rows_key_size] == 4 ? rows_total(value) : 0;
}

/* Of all columns of a row, doubles by their bits: whole numbers wait for nothing, in any order. */
static inline uint64_t rows_sum(const char *key, const char *value) {
    struct order order;
    uint64_t price, total;
    if (rows_are_pairs) {
        memcpy(&total, value + rows_total_at, sizeof total);
        return total + (uint8_t)key[0] + (uint8_t)value[rows_value_size - 1];
    }
    memcpy(&order.id, key, sizeof order.id);
    memcpy(&order.customer, value, sizeof order - sizeof order.id);
    memcpy(&price, &order.unit_price, sizeof price);
    memcpy(&total, &order.total, sizeof total);
    return __builtin_bswap64(order.id) + order.customer + order.product + order.quantity + price +
           total + order.status + order.payment + (uint64_t)order.time_ms + order.address;
}

static uint64_t rows_state = 42;
static uint64_t rows_random(void) {
    rows_state ^= rows_state << 13;
    rows_state ^= rows_state >> 7;
    rows_state ^= rows_state << 17;
    return rows_state;
}

static void rows_make_orders(void) {
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    struct order *rows = (struct order *)rows_data;
    orders_stream(rows_count, 65536, &stream);
    for (int64_t at = 0; stream.get_next(&stream, &batch) == 0 && batch.release != NULL;) {
        const void *data[10];
        for (int c = 0; c < 10; c++) {
            data[c] = batch.children[c]->buffers[1];
        }
        for (int64_t i = 0; i < batch.length; i++, at++) {
            rows[at] = (struct order){
                .id = __builtin_bswap64(2 * ((const uint64_t *)data[0])[i]),
                .customer = ((const uint64_t *)data[1])[i],
                .product = ((const uint64_t *)data[2])[i],
                .quantity = ((const uint32_t *)data[3])[i],
                .unit_price = ((const double *)data[4])[i],
                .total = ((const double *)data[5])[i],
                .status = ((const uint8_t *)data[6])[i],
                .payment = ((const uint8_t *)data[7])[i],
                .time_ms = ((const int64_t *)data[8])[i],
                .address = ((const uint64_t *)data[9])[i],
            };
        }
        batch.release(&batch);
    }
    stream.release(&stream);
}

static int rows_compare(const void *left, const void *right) {
    return memcmp(left, right, sizeof((struct pair *)NULL)->key);
}

static void rows_make_pairs(void) {
    struct pair *rows = (struct pair *)rows_data;
    for (int64_t i = 0; i < rows_count; i++) {
        struct pair *row = &rows[i];
        for (int at = 0; at < 16; at += 8) {
            memcpy(row->key + at, &(uint64_t){rows_random()}, 8);
        }
        row->key[15] &= 0xFE;
        row->total = (double)(rows_random() % 100000) / 100;
        for (int at = 0; at < 42; at++) {
            row->rest[at] = (uint8_t)rows_random();
        }
        memcpy(row->rest + 42, row->rest, 42);
        memcpy(row->rest + 84, row->rest, 8);
    }
    qsort(rows, (size_t)rows_count, sizeof *rows, rows_compare);
}

/// Makes `count` rows in the order of their keys.
static void rows_make(bool pairs, int64_t count) {
    rows_are_pairs = pairs;
    rows_key_size = pairs ? sizeof((struct pair *)NULL)->key : sizeof((struct order *)NULL)->id;
    rows_size = pairs ? sizeof(struct pair) : sizeof(struct order);
    rows_value_size = rows_size - rows_key_size;
    rows_total_at = (pairs ? offsetof(struct pair, total) : offsetof(struct order, total)) -
                    rows_key_size;
    rows_count = count;
    rows_data = rows_take((size_t)count * rows_size);
    if (pairs) {
        rows_make_pairs();
    } else {
        rows_make_orders();
    }
}

/// Brings them into a random order, the same for everybody: before a clock starts, as a row that has yet to
/// be fetched from memory costs as much as some engines need for it.
static void rows_shuffle(void) {
    char kept[ROWS_MAX_SIZE];
    for (int64_t i = rows_count - 1; i > 0; i--) {
        char *row = rows_data + (size_t)i * rows_size;
        char *other = rows_data + rows_random() % (uint64_t)(i + 1) * rows_size;
        memcpy(kept, row, rows_size);
        memmove(row, other, rows_size); /* it may be the same one */
        memcpy(other, kept, rows_size);
    }
}

#endif
