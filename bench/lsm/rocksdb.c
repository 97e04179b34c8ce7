/* link: rocksdb */
/* The driver's questions to RocksDB: built without assertions by needs.sh, for this processor; a write
 * buffer as large as our memtable, as many background jobs as there are processors, lz4, a bloom filter of
 * 10 bits a key, a block cache that holds everything, pinned values. */
#include <rocksdb/c.h>

#include "driver.h"

enum { WRITE_BUFFER = 64 << 20, FILTER_BITS = 10 };
static const size_t cache_bytes = (size_t)1 << 30;

static rocksdb_t *db;
static rocksdb_column_family_handle_t *family;
static rocksdb_options_t *options;
static rocksdb_readoptions_t *reads;
static rocksdb_writeoptions_t *writes, *synced;

static void check(char *error) {
    if (error != NULL) {
        (void)fprintf(stderr, "rocksdb: %s\n", error);
        exit(1);
    }
}

static void set_options(void) {
    options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *blocks = rocksdb_block_based_options_create();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(cache_bytes);
    rocksdb_block_based_options_set_block_cache(blocks, cache);
    rocksdb_cache_destroy(cache);
    rocksdb_block_based_options_set_filter_policy(blocks,
                                                  rocksdb_filterpolicy_create_bloom(FILTER_BITS));
    rocksdb_options_set_block_based_table_factory(options, blocks);
    rocksdb_block_based_options_destroy(blocks);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_write_buffer_size(options, WRITE_BUFFER);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_increase_parallelism(options, (int)sysconf(_SC_NPROCESSORS_ONLN));
}

static void engine_open(const char *folder) {
    char *error = NULL;
    const char *const names[] = {"default"};
    set_options();
    db = rocksdb_open_column_families(options, folder, 1, names,
                                      (const rocksdb_options_t *const[]){options}, &family, &error);
    check(error);
    reads = rocksdb_readoptions_create();
    writes = rocksdb_writeoptions_create();
    synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(synced, 1);
}

static void engine_close(void) {
    rocksdb_column_family_handle_destroy(family);
    rocksdb_close(db);
    rocksdb_readoptions_destroy(reads);
    rocksdb_writeoptions_destroy(writes);
    rocksdb_writeoptions_destroy(synced);
    rocksdb_options_destroy(options);
}

/* ---- Writes ------------------------------------------------------------------------------------ */

static void engine_put(const char *row, bool sync) {
    char *error = NULL;
    rocksdb_put(db, sync ? synced : writes, row, rows_key_size, row + rows_key_size,
                rows_value_size, &error);
    check(error);
}

static void engine_put_many(int64_t first, int64_t count) {
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    char *error = NULL;
    for (int64_t i = 0; i < count; i++) {
        const char *row = rows_at(first + i);
        rocksdb_writebatch_put(batch, row, rows_key_size, row + rows_key_size, rows_value_size);
    }
    rocksdb_write(db, writes, batch, &error);
    check(error);
    rocksdb_writebatch_destroy(batch);
}

static uint64_t number_of(const char *property) {
    uint64_t value = 0;
    check(rocksdb_property_int(db, property, &value) == 0 ? NULL : "no such property");
    return value;
}

static double engine_settle(void) {
    enum { WAIT_US = 1000 };
    char *error = NULL;
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    rocksdb_flush(db, flush, &error);
    check(error);
    rocksdb_flushoptions_destroy(flush);
    while (number_of("rocksdb.mem-table-flush-pending") + number_of("rocksdb.num-running-flushes") +
               number_of("rocksdb.compaction-pending") +
               number_of("rocksdb.num-running-compactions") >
           0) {
        (void)usleep(WAIT_US);
    }
    return 0;
}

static void engine_compact(void) {
    rocksdb_compact_range(db, NULL, 0, NULL, 0);
}

/* ---- Reads ------------------------------------------------------------------------------------- */

/* NULL: there is none. */
static rocksdb_pinnableslice_t *get(const char *key) {
    char *error = NULL;
    rocksdb_pinnableslice_t *value = rocksdb_get_pinned(db, reads, key, rows_key_size, &error);
    check(error);
    return value;
}

static bool engine_get_row(const char *key, char *out_row) {
    size_t size = 0;
    rocksdb_pinnableslice_t *value = get(key);
    if (value != NULL) {
        memcpy(out_row, key, rows_key_size);
        memcpy(out_row + rows_key_size, rocksdb_pinnableslice_value(value, &size), rows_value_size);
        rocksdb_pinnableslice_destroy(value);
    }
    return value != NULL;
}

static bool engine_get_total(const char *key, double *out) {
    size_t size = 0;
    rocksdb_pinnableslice_t *value = get(key);
    *out = 0;
    if (value != NULL) {
        *out = rows_total(rocksdb_pinnableslice_value(value, &size));
        rocksdb_pinnableslice_destroy(value);
    }
    return value != NULL;
}

static void engine_get_64(const char (*keys)[ROWS_MAX_KEY], double *totals) {
    const char *firsts[64];
    size_t sizes[64];
    rocksdb_pinnableslice_t *values[64];
    char *errors[64];
    for (int i = 0; i < 64; i++) {
        firsts[i] = keys[i];
        sizes[i] = rows_key_size;
    }
    rocksdb_batched_multi_get_cf(db, reads, family, 64, firsts, sizes, values, errors, false);
    for (int i = 0; i < 64; i++) {
        size_t size = 0;
        check(errors[i]);
        totals[i] = values[i] != NULL ? rows_total(rocksdb_pinnableslice_value(values[i], &size))
                                      : 0;
        rocksdb_pinnableslice_destroy(values[i]);
    }
}

static rocksdb_iterator_t *seeker;
static double engine_seek_100(const char *key) {
    double sum = 0;
    size_t size = 0;
    seeker = seeker != NULL ? seeker : rocksdb_create_iterator(db, reads);
    rocksdb_iter_seek(seeker, key, rows_key_size);
    for (int i = 0; i < 100 && rocksdb_iter_valid(seeker); i++) {
        sum += rows_total(rocksdb_iter_value(seeker, &size));
        rocksdb_iter_next(seeker);
    }
    return sum;
}

static double over_all(bool filters) {
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(db, reads);
    double sum = 0;
    uint64_t all = 0;
    size_t size = 0;
    if (seeker != NULL) {
        rocksdb_iter_destroy(seeker);
        seeker = NULL;
    }
    for (rocksdb_iter_seek_to_first(iterator); rocksdb_iter_valid(iterator);
         rocksdb_iter_next(iterator)) {
        const char *value = rocksdb_iter_value(iterator, &size);
        if (filters) {
            sum += rows_filter(value);
        } else {
            all += rows_sum(rocksdb_iter_key(iterator, &size), value);
        }
    }
    rocksdb_iter_destroy(iterator);
    return filters ? sum : (double)all;
}

static double engine_filter(void) {
    return over_all(true);
}

static double engine_scan(void) {
    return over_all(false);
}
