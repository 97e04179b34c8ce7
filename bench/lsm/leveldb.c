/* link: leveldb */
/* The driver's questions to LevelDB: a write buffer as large as our memtable, a bloom
 * filter of 10 bits a key, a block cache that holds everything, snappy as it comes. */
#include <leveldb/c.h>

#include "driver.h"

enum { WRITE_BUFFER = 64 << 20, FILTER_BITS = 10 };
static const size_t cache_bytes = (size_t)1 << 30;

static leveldb_t *db;
static leveldb_options_t *options;
static leveldb_cache_t *cache;
static leveldb_filterpolicy_t *filter;
static leveldb_readoptions_t *reads;
static leveldb_writeoptions_t *writes, *synced;

static void check(char *error) {
    if (error != NULL) {
        (void)fprintf(stderr, "leveldb: %s\n", error);
        exit(1);
    }
}

static void engine_open(const char *folder) {
    char *error = NULL;
    options = leveldb_options_create();
    cache = leveldb_cache_create_lru(cache_bytes);
    filter = leveldb_filterpolicy_create_bloom(FILTER_BITS);
    leveldb_options_set_create_if_missing(options, 1);
    leveldb_options_set_write_buffer_size(options, WRITE_BUFFER);
    leveldb_options_set_cache(options, cache);
    leveldb_options_set_filter_policy(options, filter);
    leveldb_options_set_compression(options, leveldb_snappy_compression);
    leveldb_options_set_max_open_files(options, 2000);
    db = leveldb_open(options, folder, &error);
    check(error);
    reads = leveldb_readoptions_create();
    writes = leveldb_writeoptions_create();
    synced = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(synced, 1);
}

static void engine_close(void) {
    leveldb_close(db);
    leveldb_readoptions_destroy(reads);
    leveldb_writeoptions_destroy(writes);
    leveldb_writeoptions_destroy(synced);
    leveldb_options_destroy(options);
    leveldb_filterpolicy_destroy(filter);
    leveldb_cache_destroy(cache);
}

static void engine_put(const char *row, bool sync) {
    char *error = NULL;
    leveldb_put(db, sync ? synced : writes, row, rows_key_size, row + rows_key_size,
                rows_value_size, &error);
    check(error);
}

static void engine_put_many(int64_t first, int64_t count) {
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    char *error = NULL;
    for (int64_t i = 0; i < count; i++) {
        const char *row = rows_at(first + i);
        leveldb_writebatch_put(batch, row, rows_key_size, row + rows_key_size, rows_value_size);
    }
    leveldb_write(db, writes, batch, &error);
    check(error);
    leveldb_writebatch_destroy(batch);
}

/* It does not say whether it compacts: until what it says of its files is the same for a while, which
 * is not counted. */
static double engine_settle(void) {
    enum { TRIES = 40, WAIT_US = 5000 };
    char *before = NULL;
    int same = 0;
    while (same < TRIES) {
        (void)usleep(WAIT_US);
        char *now = leveldb_property_value(db, "leveldb.stats");
        same = before != NULL && strcmp(before, now) == 0 ? same + 1 : 0;
        leveldb_free(before);
        before = now;
    }
    leveldb_free(before);
    return TRIES * WAIT_US * 1e-6;
}

static void engine_compact(void) {
    leveldb_compact_range(db, NULL, 0, NULL, 0);
}

/* NULL: there is none. */
static char *get(const char *key) {
    char *error = NULL;
    size_t size = 0;
    char *value = leveldb_get(db, reads, key, rows_key_size, &size, &error);
    check(error);
    return value;
}

static bool engine_get_row(const char *key, char *out_row) {
    char *value = get(key);
    if (value != NULL) {
        memcpy(out_row, key, rows_key_size);
        memcpy(out_row + rows_key_size, value, rows_value_size);
    }
    leveldb_free(value);
    return value != NULL;
}

static bool engine_get_total(const char *key, double *out) {
    char *value = get(key);
    *out = value != NULL ? rows_total(value) : 0;
    leveldb_free(value);
    return value != NULL;
}

static void engine_get_64(const char (*keys)[ROWS_MAX_KEY], double *totals) {
    for (int i = 0; i < 64; i++) {
        (void)engine_get_total(keys[i], &totals[i]);
    }
}

static leveldb_iterator_t *seeker;
static double engine_seek_100(const char *key) {
    double sum = 0;
    size_t size = 0;
    seeker = seeker != NULL ? seeker : leveldb_create_iterator(db, reads);
    leveldb_iter_seek(seeker, key, rows_key_size);
    for (int i = 0; i < 100 && leveldb_iter_valid(seeker); i++) {
        sum += rows_total(leveldb_iter_value(seeker, &size));
        leveldb_iter_next(seeker);
    }
    return sum;
}

static double over_all(bool filters) {
    leveldb_iterator_t *iterator = leveldb_create_iterator(db, reads);
    double sum = 0;
    uint64_t all = 0;
    size_t size = 0;
    if (seeker != NULL) {
        leveldb_iter_destroy(seeker);
        seeker = NULL;
    }
    for (leveldb_iter_seek_to_first(iterator); leveldb_iter_valid(iterator);
         leveldb_iter_next(iterator)) {
        const char *value = leveldb_iter_value(iterator, &size);
        if (filters) {
            sum += rows_filter(value);
        } else {
            all += rows_sum(leveldb_iter_key(iterator, &size), value);
        }
    }
    leveldb_iter_destroy(iterator);
    return filters ? sum : (double)all;
}

static double engine_filter(void) {
    return over_all(true);
}

static double engine_scan(void) {
    return over_all(false);
}
