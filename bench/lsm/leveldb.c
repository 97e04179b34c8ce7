/* link: leveldb */
/* The driver's questions to LevelDB: keys big-endian, a write buffer as large as our memtable, a bloom
 * filter of 10 bits a key, a block cache that holds everything, snappy as it comes. */
#include <leveldb/c.h>

#include "driver.h"

enum { WRITE_BUFFER = 64 << 20, FILTER_BITS = 10, VALUE = sizeof(struct order) - 8 };
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

static void key_of(uint64_t id, char key[8]) {
    const uint64_t swapped = __builtin_bswap64(id);
    memcpy(key, &swapped, 8);
}

static const char *value_of(const struct order *row) {
    return (const char *)row + 8;
}

static void engine_put(const struct order *row, bool sync) {
    char key[8], *error = NULL;
    key_of(row->id, key);
    leveldb_put(db, sync ? synced : writes, key, 8, value_of(row), VALUE, &error);
    check(error);
}

static void engine_put_many(const struct order *rows, const uint32_t *order, int64_t count) {
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    char key[8], *error = NULL;
    for (int64_t i = 0; i < count; i++) {
        key_of(rows[order[i]].id, key);
        leveldb_writebatch_put(batch, key, 8, value_of(&rows[order[i]]), VALUE);
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

static bool engine_get_row(uint64_t id, struct order *out) {
    char key[8], *error = NULL;
    size_t size = 0;
    key_of(id, key);
    char *value = leveldb_get(db, reads, key, 8, &size, &error);
    check(error);
    if (value == NULL) {
        return false;
    }
    out->id = id;
    memcpy((char *)out + 8, value, VALUE);
    leveldb_free(value);
    return true;
}

static bool engine_get_total(uint64_t id, double *out) {
    struct order row;
    const bool found = engine_get_row(id, &row);
    *out = found ? row.total : 0;
    return found;
}

static void engine_get_64(const uint64_t *ids, double *totals) {
    for (int i = 0; i < 64; i++) {
        (void)engine_get_total(ids[i], &totals[i]);
    }
}

static void row_at(leveldb_iterator_t *iterator, struct order *out) {
    size_t size = 0;
    memcpy((char *)out + 8, leveldb_iter_value(iterator, &size), VALUE);
}

static leveldb_iterator_t *seeker;
static double engine_seek_100(uint64_t id) {
    char key[8];
    double sum = 0;
    struct order row;
    seeker = seeker != NULL ? seeker : leveldb_create_iterator(db, reads);
    key_of(id, key);
    leveldb_iter_seek(seeker, key, 8);
    for (int i = 0; i < 100 && leveldb_iter_valid(seeker); i++) {
        row_at(seeker, &row);
        sum += row.total;
        leveldb_iter_next(seeker);
    }
    return sum;
}

static double over_all(bool filters) {
    leveldb_iterator_t *iterator = leveldb_create_iterator(db, reads);
    double sum = 0;
    struct order row;
    size_t size = 0;
    if (seeker != NULL) {
        leveldb_iter_destroy(seeker);
        seeker = NULL;
    }
    for (leveldb_iter_seek_to_first(iterator); leveldb_iter_valid(iterator);
         leveldb_iter_next(iterator)) {
        row_at(iterator, &row);
        if (filters) {
            sum += row.status == 4 ? row.total : 0;
        } else {
            memcpy(&row.id, leveldb_iter_key(iterator, &size), 8);
            sum += DRIVER_SUM(row, (double)__builtin_bswap64(row.id));
        }
    }
    leveldb_iter_destroy(iterator);
    return sum;
}

static double engine_filter(void) {
    return over_all(true);
}

static double engine_scan(void) {
    return over_all(false);
}
