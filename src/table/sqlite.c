/* Connections to SQLite. Each belongs to one lock of the catalog's, so SQLite's own mutexes are off;
 * statements are prepared once and kept. What SQLite says becomes a status that a caller can act on:
 * busy is STOA_LOCKED, a damaged file STOA_CORRUPT, a full disk STOA_IO. */
#include "table/sqlite.h"

#include <stdarg.h>
#include <string.h>

#include "base/hash.h"

stoa_status stoa_sqlite_fail(stoa_error *err, sqlite3 *handle, int code, const char *what) {
    const char *words = handle != NULL ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    stoa_status status = STOA_INTERNAL;
    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return stoa_fail(err, STOA_LOCKED, "%s: another process is writing to the catalog", what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_MISMATCH: status = STOA_CORRUPT; break;
    case SQLITE_NOMEM: status = STOA_NO_MEMORY; break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL: status = STOA_IO; break;
    case SQLITE_TOOBIG: status = STOA_LIMIT; break;
    case SQLITE_ERROR: /* a statement that does not fit what the file says its tables are */
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT: status = STOA_CORRUPT; break;
    default: break;
    }
    return stoa_fail(err, status, "%s: %s", what, words);
}

/* stoa_checksum(…): one number over the types and bytes of its arguments, in order. */
static void checksum(sqlite3_context *context, int count, sqlite3_value **values) {
    uint64_t hash = (uint64_t)count;
    for (int i = 0; i < count; i++) {
        int type = sqlite3_value_type(values[i]);
        uint64_t part = (uint64_t)type;
        if (type == SQLITE_INTEGER) {
            part ^= stoa_hash_u64((uint64_t)sqlite3_value_int64(values[i]) + 1);
        } else if (type != SQLITE_NULL) {
            const void *bytes = sqlite3_value_blob(values[i]);
            part ^= stoa_hash64(bytes == NULL ? "" : bytes, (size_t)sqlite3_value_bytes(values[i]));
        }
        hash = stoa_hash_u64(hash * UINT64_C(0x9E3779B97F4A7C15) + part);
    }
    sqlite3_result_int64(context, (sqlite3_int64)hash);
}

stoa_status stoa_sqlite_open(stoa_sqlite *connection, const char *uri, int flags,
                             int64_t busy_timeout_ms, stoa_error *err) {
    memset(connection, 0, sizeof *connection);
    int code = sqlite3_open_v2(uri, &connection->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
    stoa_status status = STOA_OK;
    if (code != SQLITE_OK) {
        status = stoa_sqlite_fail(err, connection->handle, code, "cannot open the catalog");
        goto failed;
    }
    (void)sqlite3_extended_result_codes(connection->handle, 1);
    int wait = busy_timeout_ms > INT32_MAX ? INT32_MAX : (int)busy_timeout_ms;
    (void)sqlite3_busy_timeout(connection->handle, wait);
    /* A file from outside gets no chance to run anything of its own. */
    (void)sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    code = sqlite3_create_function_v2(connection->handle, "stoa_checksum", -1,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, checksum, NULL,
                                      NULL, NULL);
    if (code != SQLITE_OK) {
        status = stoa_sqlite_fail(err, connection->handle, code, "cannot open the catalog");
        goto failed;
    }
    return STOA_OK;

failed:
    stoa_sqlite_close(connection);
    return status;
}

void stoa_sqlite_close(stoa_sqlite *connection) {
    for (int i = 0; i < STOA_SQL_COUNT; i++) {
        (void)sqlite3_finalize(connection->statements[i]);
    }
    (void)sqlite3_close(connection->handle);
    memset(connection, 0, sizeof *connection);
}

stoa_status stoa_sqlite_execute(stoa_sqlite *connection, const char *sql, stoa_error *err) {
    int code = sqlite3_exec(connection->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? STOA_OK : stoa_sqlite_fail(err, connection->handle, code, "catalog");
}

static int bind_all(sqlite3_stmt *statement, const char *types, va_list arguments) {
    int code = SQLITE_OK;
    for (int i = 1; *types != '\0' && code == SQLITE_OK; types++, i++) {
        if (*types == 'i') {
            code = sqlite3_bind_int64(statement, i, va_arg(arguments, int64_t));
        } else if (*types == 't') {
            code = sqlite3_bind_text(statement, i, va_arg(arguments, const char *), -1,
                                     SQLITE_TRANSIENT);
        } else if (*types == 'n') {
            code = sqlite3_bind_null(statement, i);
        } else {
            STOA_ASSERT(*types == 'b');
            const void *bytes = va_arg(arguments, const void *);
            int size = va_arg(arguments, int);
            code = bytes == NULL ? sqlite3_bind_null(statement, i)
                                 : sqlite3_bind_blob(statement, i, bytes, size, SQLITE_TRANSIENT);
        }
    }
    return code;
}

static stoa_status prepare(stoa_sqlite *connection, stoa_sql which, const char *types,
                           va_list arguments, sqlite3_stmt **out, stoa_error *err) {
    sqlite3_stmt **statement = &connection->statements[which];
    *out = NULL;
    int code = SQLITE_OK;
    if (*statement == NULL) {
        code = sqlite3_prepare_v3(connection->handle, stoa_sql_texts[which], -1,
                                  SQLITE_PREPARE_PERSISTENT, statement, NULL);
    } else {
        (void)sqlite3_reset(*statement);
    }
    if (code == SQLITE_OK) {
        code = bind_all(*statement, types, arguments);
    }
    if (code != SQLITE_OK) {
        return stoa_sqlite_fail(err, connection->handle, code, "catalog");
    }
    *out = *statement;
    return STOA_OK;
}

stoa_status stoa_sqlite_prepare(stoa_sqlite *connection, stoa_sql which, sqlite3_stmt **out,
                                stoa_error *err, const char *types, ...) {
    va_list arguments;
    va_start(arguments, types);
    stoa_status status = prepare(connection, which, types, arguments, out, err);
    va_end(arguments);
    return status;
}

stoa_status stoa_sqlite_step(sqlite3_stmt *statement, bool *out_row, stoa_error *err) {
    int code = sqlite3_step(statement);
    *out_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW) {
        return STOA_OK;
    }
    stoa_status status = STOA_OK;
    if (code != SQLITE_DONE) {
        status = stoa_sqlite_fail(err, sqlite3_db_handle(statement), code, "catalog");
    }
    (void)sqlite3_reset(statement);
    return status;
}

stoa_status stoa_sqlite_run(stoa_sqlite *connection, stoa_sql which, stoa_error *err,
                            const char *types, ...) {
    sqlite3_stmt *statement = NULL;
    va_list arguments;
    va_start(arguments, types);
    stoa_status status = prepare(connection, which, types, arguments, &statement, err);
    va_end(arguments);
    STOA_TRY(status);
    bool row;
    STOA_TRY(stoa_sqlite_step(statement, &row, err));
    (void)sqlite3_reset(statement);
    return STOA_OK;
}

stoa_status stoa_sqlite_i64(sqlite3_stmt *statement, int index, int64_t low, int64_t high,
                            int64_t *out, stoa_error *err) {
    if (sqlite3_column_type(statement, index) != SQLITE_INTEGER) {
        return stoa_fail(err, STOA_CORRUPT, "catalog: expected a number as '%s' but found none",
                         sqlite3_column_name(statement, index));
    }
    int64_t value = sqlite3_column_int64(statement, index);
    if (value < low || value > high) {
        return stoa_fail(err, STOA_CORRUPT,
                         "catalog: expected '%s' from %" PRId64 " to %" PRId64
                         " but found %" PRId64,
                         sqlite3_column_name(statement, index), low, high, value);
    }
    *out = value;
    return STOA_OK;
}

stoa_status stoa_sqlite_text(sqlite3_stmt *statement, int index, const char **out_view,
                             stoa_error *err) {
    *out_view = NULL;
    const char *text = NULL;
    if (sqlite3_column_type(statement, index) == SQLITE_TEXT) {
        text = (const char *)sqlite3_column_text(statement, index);
    }
    if (text == NULL || strlen(text) != (size_t)sqlite3_column_bytes(statement, index)) {
        return stoa_fail(err, STOA_CORRUPT, "catalog: expected text as '%s' but found none",
                         sqlite3_column_name(statement, index));
    }
    *out_view = text;
    return STOA_OK;
}

stoa_status stoa_sqlite_intact(sqlite3_stmt *statement, int index, stoa_error *err) {
    if (sqlite3_column_type(statement, index) == SQLITE_INTEGER &&
        sqlite3_column_int(statement, index) == 1) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_CORRUPT, "catalog: the checksum of a row does not match (%s)",
                     sqlite3_column_name(statement, 0));
}
