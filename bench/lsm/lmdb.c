/* link: lmdb */
/* The driver's questions to LMDB: keys as its integers, a writable map without syncs, and a sync where
 * one is asked for. */
#include <lmdb.h>

#include "driver.h"

enum { VALUE = sizeof(struct order) - 8 };
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
    check(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY | MDB_CREATE, &dbi));
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

static void put(MDB_txn *txn, const struct order *row) {
    uint64_t id = row->id;
    MDB_val key = {8, &id}, value = {VALUE, (char *)(uintptr_t)row + 8};
    check(mdb_put(txn, dbi, &key, &value, 0));
}

static void engine_put(const struct order *row, bool sync) {
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

static void engine_put_many(const struct order *rows, const uint32_t *order, int64_t count) {
    MDB_txn *txn = NULL;
    check(mdb_txn_begin(env, NULL, 0, &txn));
    for (int64_t i = 0; i < count; i++) {
        put(txn, &rows[order[i]]);
    }
    check(mdb_txn_commit(txn));
}

static double engine_settle(void) {
    return 0;
}

static void engine_compact(void) {}

static bool engine_get_row(uint64_t id, struct order *out) {
    MDB_val key = {8, &id}, value;
    (void)cursor_now();
    if (mdb_get(reader, dbi, &key, &value) != 0) {
        return false;
    }
    out->id = id;
    memcpy((char *)out + 8, value.mv_data, VALUE);
    return true;
}

static bool engine_get_total(uint64_t id, double *out) {
    MDB_val key = {8, &id}, value;
    (void)cursor_now();
    if (mdb_get(reader, dbi, &key, &value) != 0) {
        return false;
    }
    memcpy(out, (const char *)value.mv_data + offsetof(struct order, total) - 8, 8);
    return true;
}

static void engine_get_64(const uint64_t *ids, double *totals) {
    for (int i = 0; i < 64; i++) {
        (void)engine_get_total(ids[i], &totals[i]);
    }
}

static double engine_seek_100(uint64_t id) {
    MDB_val key = {8, &id}, value;
    struct order row;
    double sum = 0;
    int code = mdb_cursor_get(cursor_now(), &key, &value, MDB_SET_RANGE);
    for (int i = 0; i < 100 && code == 0; i++) {
        memcpy((char *)&row + 8, value.mv_data, VALUE);
        sum += row.total;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return sum;
}

static double over_all(bool filters) {
    MDB_val key, value;
    struct order row;
    double sum = 0;
    for (int code = mdb_cursor_get(cursor_now(), &key, &value, MDB_FIRST); code == 0;
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        memcpy((char *)&row + 8, value.mv_data, VALUE);
        if (filters) {
            sum += row.status == 4 ? row.total : 0;
        } else {
            memcpy(&row.id, key.mv_data, 8);
            sum += DRIVER_SUM(row, (double)row.id);
        }
    }
    return sum;
}

static double engine_filter(void) {
    return over_all(true);
}

static double engine_scan(void) {
    return over_all(false);
}
