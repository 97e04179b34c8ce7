/* link: lmdb */
/* The driver's questions to LMDB: the orders' keys as its integers, a writable map without syncs, and a
 * sync where one is asked for. */
#include <lmdb.h>

#include "driver.h"

static const size_t map_bytes = (size_t)8 << 30;

static MDB_env *env;
static MDB_dbi dbi;
static MDB_txn *reader;
static MDB_cursor *cursor;
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

static void check(int code) {
    if (code != 0) {
        (void)fprintf(stderr, "lmdb: %s\n", mdb_strerror(code));
        exit(1);
    }
}

static void engine_open(const char *folder) {
    MDB_txn *txn = NULL;
    (void)mkdir(folder, 0777);
    check(mdb_env_create(&env));
    check(mdb_env_set_mapsize(env, map_bytes));
    check(mdb_env_open(env, folder, MDB_NOSYNC | MDB_WRITEMAP | MDB_NORDAHEAD, 0666));
    check(mdb_txn_begin(env, NULL, 0, &txn));
    check(mdb_dbi_open(txn, NULL, MDB_CREATE | (rows_are_pairs ? 0 : MDB_INTEGERKEY), &dbi));
    check(mdb_txn_commit(txn));
}

/* A reader sees the moment at which it began: one serves all gets, as LMDB's documents advise. */
static MDB_cursor *cursor_now(void) {
    if (reader == NULL) {
        check(mdb_txn_begin(env, NULL, MDB_RDONLY, &reader));
        check(mdb_cursor_open(reader, dbi, &cursor));
    }
    return cursor;
}

static void engine_close(void) {
    if (reader != NULL) {
        mdb_cursor_close(cursor);
        mdb_txn_abort(reader);
        reader = NULL;
    }
    mdb_env_close(env);
}

/* A key as LMDB has it, in `storage` where that is not as the rows have it. */
static MDB_val key_of(const char *key, uint64_t *storage) {
    if (rows_are_pairs) {
        return (MDB_val){rows_key_size, (void *)(uintptr_t)key};
    }
    memcpy(storage, key, sizeof *storage);
    *storage = __builtin_bswap64(*storage);
    return (MDB_val){sizeof *storage, storage};
}

static void put(MDB_txn *txn, const char *row) {
    uint64_t id = 0;
    MDB_val key = key_of(row, &id);
    MDB_val value = {rows_value_size, (void *)((uintptr_t)row + rows_key_size)};
    check(mdb_put(txn, dbi, &key, &value, 0));
}

static void engine_put(const char *row, bool sync) {
    MDB_txn *txn = NULL;
    (void)pthread_mutex_lock(&write_lock);
    check(mdb_txn_begin(env, NULL, 0, &txn));
    put(txn, row);
    check(mdb_txn_commit(txn));
    if (sync) {
        check(mdb_env_sync(env, 1));
    }
    (void)pthread_mutex_unlock(&write_lock);
}

static void engine_put_many(int64_t first, int64_t count) {
    MDB_txn *txn = NULL;
    check(mdb_txn_begin(env, NULL, 0, &txn));
    for (int64_t i = 0; i < count; i++) {
        put(txn, rows_at(first + i));
    }
    check(mdb_txn_commit(txn));
}

static double engine_settle(void) {
    return 0;
}

static void engine_compact(void) {}

/* NULL: there is none. */
static const char *get(const char *key) {
    uint64_t id = 0;
    MDB_val found = key_of(key, &id), value;
    (void)cursor_now();
    return mdb_get(reader, dbi, &found, &value) == 0 ? value.mv_data : NULL;
}

static bool engine_get_row(const char *key, char *out_row) {
    const char *value = get(key);
    if (value != NULL) {
        memcpy(out_row, key, rows_key_size);
        memcpy(out_row + rows_key_size, value, rows_value_size);
    }
    return value != NULL;
}

static bool engine_get_total(const char *key, double *out) {
    const char *value = get(key);
    *out = value != NULL ? rows_total(value) : 0;
    return value != NULL;
}

static void engine_get_64(const char (*keys)[ROWS_MAX_KEY], double *totals) {
    for (int i = 0; i < 64; i++) {
        (void)engine_get_total(keys[i], &totals[i]);
    }
}

static double engine_seek_100(const char *from) {
    uint64_t id = 0;
    MDB_val key = key_of(from, &id), value;
    double sum = 0;
    int code = mdb_cursor_get(cursor_now(), &key, &value, MDB_SET_RANGE);
    for (int i = 0; i < 100 && code == 0; i++) {
        sum += rows_total(value.mv_data);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return sum;
}

static double over_all(bool filters) {
    MDB_val key, value;
    double sum = 0;
    uint64_t all = 0;
    for (int code = mdb_cursor_get(cursor_now(), &key, &value, MDB_FIRST); code == 0;
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        uint64_t id = 0;
        if (filters) {
            sum += rows_filter(value.mv_data);
        } else {
            all += rows_sum(key_of(key.mv_data, &id).mv_data, value.mv_data);
        }
    }
    return filters ? sum : (double)all;
}

static double engine_filter(void) {
    return over_all(true);
}

static double engine_scan(void) {
    return over_all(false);
}
