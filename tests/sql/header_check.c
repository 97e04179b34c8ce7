/* Our declarations of DuckDB's C API against the real header; compiled by oracle_header.py.
 *
 * With STOA_DUCKDB_REAL_HEADER the types are the header's, and every function of our table must have
 * exactly its signature. Without it the types are ours. Either way the program prints sizes, offsets
 * and values: both must print the same. */
#include <stdio.h>

#ifdef STOA_DUCKDB_REAL_HEADER
#include "duckdb.h"
#endif
#include "sql/duckdb_api.h"

#ifdef STOA_DUCKDB_REAL_HEADER
#define SAME(result, name, parameters)                                                             \
    _Static_assert(__builtin_types_compatible_p(__typeof__(&duckdb_##name),                        \
                                                __typeof__(((struct duckdb_api *)0)->name)),       \
                   "the signature of duckdb_" #name " differs");
DUCKDB_API_FUNCTIONS(SAME)
#endif

#define SIZE(type) printf("sizeof " #type " %zu %zu\n", sizeof(type), _Alignof(type));
#define PLACE(type, member) printf("offsetof " #type "." #member " %zu\n", offsetof(type, member));
#define VALUE(name) printf(#name " %d\n", (int)(name));

int main(void) {
    SIZE(duckdb_result)
    SIZE(duckdb_string_t)
    SIZE(duckdb_list_entry)
    SIZE(duckdb_hugeint)
    SIZE(duckdb_uhugeint)
    SIZE(duckdb_decimal)
    SIZE(duckdb_interval)
    SIZE(duckdb_query_progress_type)
    SIZE(duckdb_date)
    SIZE(duckdb_time)
    SIZE(duckdb_timestamp)
    SIZE(duckdb_type)
    SIZE(duckdb_result_type)
    SIZE(duckdb_error_type)
    PLACE(duckdb_string_t, value.pointer.prefix)
    PLACE(duckdb_string_t, value.pointer.ptr)
    PLACE(duckdb_string_t, value.inlined.inlined)
    PLACE(duckdb_list_entry, length)
    PLACE(duckdb_hugeint, upper)
    PLACE(duckdb_decimal, scale)
    PLACE(duckdb_decimal, value)
    PLACE(duckdb_interval, days)
    PLACE(duckdb_interval, micros)
    PLACE(duckdb_query_progress_type, total_rows_to_process)
    PLACE(duckdb_result, internal_data)
    VALUE(DuckDBSuccess)
    VALUE(DuckDBError)
    VALUE(DUCKDB_TYPE_BOOLEAN)
    VALUE(DUCKDB_TYPE_TINYINT)
    VALUE(DUCKDB_TYPE_SMALLINT)
    VALUE(DUCKDB_TYPE_INTEGER)
    VALUE(DUCKDB_TYPE_BIGINT)
    VALUE(DUCKDB_TYPE_UTINYINT)
    VALUE(DUCKDB_TYPE_USMALLINT)
    VALUE(DUCKDB_TYPE_UINTEGER)
    VALUE(DUCKDB_TYPE_UBIGINT)
    VALUE(DUCKDB_TYPE_FLOAT)
    VALUE(DUCKDB_TYPE_DOUBLE)
    VALUE(DUCKDB_TYPE_TIMESTAMP)
    VALUE(DUCKDB_TYPE_DATE)
    VALUE(DUCKDB_TYPE_TIME)
    VALUE(DUCKDB_TYPE_INTERVAL)
    VALUE(DUCKDB_TYPE_HUGEINT)
    VALUE(DUCKDB_TYPE_VARCHAR)
    VALUE(DUCKDB_TYPE_BLOB)
    VALUE(DUCKDB_TYPE_DECIMAL)
    VALUE(DUCKDB_TYPE_TIMESTAMP_S)
    VALUE(DUCKDB_TYPE_TIMESTAMP_MS)
    VALUE(DUCKDB_TYPE_TIMESTAMP_NS)
    VALUE(DUCKDB_TYPE_ENUM)
    VALUE(DUCKDB_TYPE_LIST)
    VALUE(DUCKDB_TYPE_STRUCT)
    VALUE(DUCKDB_TYPE_MAP)
    VALUE(DUCKDB_TYPE_UUID)
    VALUE(DUCKDB_TYPE_UNION)
    VALUE(DUCKDB_TYPE_BIT)
    VALUE(DUCKDB_TYPE_TIME_TZ)
    VALUE(DUCKDB_TYPE_TIMESTAMP_TZ)
    VALUE(DUCKDB_TYPE_UHUGEINT)
    VALUE(DUCKDB_TYPE_ARRAY)
    VALUE(DUCKDB_TYPE_BIGNUM)
    VALUE(DUCKDB_TYPE_SQLNULL)
    VALUE(DUCKDB_TYPE_TIME_NS)
    VALUE(DUCKDB_RESULT_TYPE_CHANGED_ROWS)
    VALUE(DUCKDB_RESULT_TYPE_NOTHING)
    VALUE(DUCKDB_RESULT_TYPE_QUERY_RESULT)
    VALUE(DUCKDB_ERROR_IO)
    VALUE(DUCKDB_ERROR_INTERRUPT)
    VALUE(DUCKDB_ERROR_INTERNAL)
    VALUE(DUCKDB_ERROR_OUT_OF_MEMORY)
    return 0;
}
