/* The part of DuckDB's C API that Stoa calls, declared by hand, and the table that holds it.
 *
 * libduckdb is opened at run time, so nothing here is linked: every function is a pointer in
 * `struct duckdb_api`, filled by duckdb_load.c. A test compiles this file against the real header
 * (with STOA_DUCKDB_REAL_HEADER, which leaves the types to it) and compares signatures, struct
 * sizes and enum values.
 *
 * Source   duckdb.h of DuckDB 1.5.6; all functions but those marked are in 1.4.4 with the same
 *          signature */
#ifndef STOA_SQL_DUCKDB_API_H
#define STOA_SQL_DUCKDB_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef STOA_DUCKDB_REAL_HEADER

typedef uint64_t idx_t;

typedef enum duckdb_state { DuckDBSuccess = 0, DuckDBError = 1 } duckdb_state;

typedef enum DUCKDB_TYPE {
    DUCKDB_TYPE_INVALID = 0,
    DUCKDB_TYPE_BOOLEAN = 1,
    DUCKDB_TYPE_TINYINT = 2,
    DUCKDB_TYPE_SMALLINT = 3,
    DUCKDB_TYPE_INTEGER = 4,
    DUCKDB_TYPE_BIGINT = 5,
    DUCKDB_TYPE_UTINYINT = 6,
    DUCKDB_TYPE_USMALLINT = 7,
    DUCKDB_TYPE_UINTEGER = 8,
    DUCKDB_TYPE_UBIGINT = 9,
    DUCKDB_TYPE_FLOAT = 10,
    DUCKDB_TYPE_DOUBLE = 11,
    DUCKDB_TYPE_TIMESTAMP = 12,
    DUCKDB_TYPE_DATE = 13,
    DUCKDB_TYPE_TIME = 14,
    DUCKDB_TYPE_INTERVAL = 15,
    DUCKDB_TYPE_HUGEINT = 16,
    DUCKDB_TYPE_VARCHAR = 17,
    DUCKDB_TYPE_BLOB = 18,
    DUCKDB_TYPE_DECIMAL = 19,
    DUCKDB_TYPE_TIMESTAMP_S = 20,
    DUCKDB_TYPE_TIMESTAMP_MS = 21,
    DUCKDB_TYPE_TIMESTAMP_NS = 22,
    DUCKDB_TYPE_ENUM = 23,
    DUCKDB_TYPE_LIST = 24,
    DUCKDB_TYPE_STRUCT = 25,
    DUCKDB_TYPE_MAP = 26,
    DUCKDB_TYPE_UUID = 27,
    DUCKDB_TYPE_UNION = 28,
    DUCKDB_TYPE_BIT = 29,
    DUCKDB_TYPE_TIME_TZ = 30,
    DUCKDB_TYPE_TIMESTAMP_TZ = 31,
    DUCKDB_TYPE_UHUGEINT = 32,
    DUCKDB_TYPE_ARRAY = 33,
    DUCKDB_TYPE_ANY = 34,
    DUCKDB_TYPE_BIGNUM = 35,
    DUCKDB_TYPE_SQLNULL = 36,
    DUCKDB_TYPE_TIME_NS = 39
} DUCKDB_TYPE;
typedef DUCKDB_TYPE duckdb_type;

typedef enum duckdb_result_type {
    DUCKDB_RESULT_TYPE_INVALID = 0,
    DUCKDB_RESULT_TYPE_CHANGED_ROWS = 1,
    DUCKDB_RESULT_TYPE_NOTHING = 2,
    DUCKDB_RESULT_TYPE_QUERY_RESULT = 3
} duckdb_result_type;

typedef enum duckdb_error_type {
    DUCKDB_ERROR_INVALID = 0,
    DUCKDB_ERROR_IO = 28,
    DUCKDB_ERROR_INTERRUPT = 29,
    DUCKDB_ERROR_FATAL = 30,
    DUCKDB_ERROR_INTERNAL = 31,
    DUCKDB_ERROR_OUT_OF_MEMORY = 33
} duckdb_error_type;

typedef struct duckdb_string_t {
    union {
        struct {
            uint32_t length;
            char prefix[4];
            char *ptr;
        } pointer;
        struct {
            uint32_t length;
            char inlined[12];
        } inlined;
    } value;
} duckdb_string_t;

typedef struct duckdb_date {
    int32_t days;
} duckdb_date;
typedef struct duckdb_time {
    int64_t micros;
} duckdb_time;
typedef struct duckdb_timestamp {
    int64_t micros;
} duckdb_timestamp;
typedef struct duckdb_timestamp_s {
    int64_t seconds;
} duckdb_timestamp_s;
typedef struct duckdb_timestamp_ms {
    int64_t millis;
} duckdb_timestamp_ms;
typedef struct duckdb_timestamp_ns {
    int64_t nanos;
} duckdb_timestamp_ns;
typedef struct duckdb_interval {
    int32_t months;
    int32_t days;
    int64_t micros;
} duckdb_interval;
typedef struct duckdb_hugeint {
    uint64_t lower;
    int64_t upper;
} duckdb_hugeint;
typedef struct duckdb_uhugeint {
    uint64_t lower;
    uint64_t upper;
} duckdb_uhugeint;
typedef struct duckdb_decimal {
    uint8_t width;
    uint8_t scale;
    duckdb_hugeint value;
} duckdb_decimal;
typedef struct duckdb_query_progress_type {
    double percentage;
    uint64_t rows_processed;
    uint64_t total_rows_to_process;
} duckdb_query_progress_type;
typedef struct duckdb_list_entry {
    uint64_t offset;
    uint64_t length;
} duckdb_list_entry;
typedef struct duckdb_result {
    idx_t deprecated_column_count;
    idx_t deprecated_row_count;
    idx_t deprecated_rows_changed;
    void *deprecated_columns;
    char *deprecated_error_message;
    void *internal_data;
} duckdb_result;

typedef struct _duckdb_database {
    void *internal_ptr;
} *duckdb_database;
typedef struct _duckdb_connection {
    void *internal_ptr;
} *duckdb_connection;
typedef struct _duckdb_prepared_statement {
    void *internal_ptr;
} *duckdb_prepared_statement;
typedef struct _duckdb_pending_result {
    void *internal_ptr;
} *duckdb_pending_result;
typedef struct _duckdb_config {
    void *internal_ptr;
} *duckdb_config;
typedef struct _duckdb_logical_type {
    void *internal_ptr;
} *duckdb_logical_type;
typedef struct _duckdb_data_chunk {
    void *internal_ptr;
} *duckdb_data_chunk;
typedef struct _duckdb_value {
    void *internal_ptr;
} *duckdb_value;
typedef struct _duckdb_vector {
    void *internal_ptr;
} *duckdb_vector;
typedef struct _duckdb_table_function {
    void *internal_ptr;
} *duckdb_table_function;
typedef struct _duckdb_bind_info {
    void *internal_ptr;
} *duckdb_bind_info;
typedef struct _duckdb_init_info {
    void *internal_ptr;
} *duckdb_init_info;
typedef struct _duckdb_function_info {
    void *internal_ptr;
} *duckdb_function_info;
typedef struct _duckdb_replacement_scan_info {
    void *internal_ptr;
} *duckdb_replacement_scan_info;

typedef void (*duckdb_delete_callback_t)(void *data);
typedef void (*duckdb_table_function_bind_t)(duckdb_bind_info info);
typedef void (*duckdb_table_function_init_t)(duckdb_init_info info);
typedef void (*duckdb_table_function_t)(duckdb_function_info info, duckdb_data_chunk output);
typedef void (*duckdb_replacement_callback_t)(duckdb_replacement_scan_info info,
                                              const char *table_name, void *data);

#endif

/* The most rows of one chunk or vector that DuckDB hands over or takes. */
enum { DUCKDB_VECTOR_ROWS = 2048 };

/* F(result, name without "duckdb_", (parameters)) */
#define DUCKDB_API_FUNCTIONS(F)                                                                    \
    F(const char *, library_version, (void))                                                       \
    F(duckdb_state, create_config, (duckdb_config *))                                              \
    F(duckdb_state, set_config, (duckdb_config, const char *, const char *))                       \
    F(void, destroy_config, (duckdb_config *))                                                     \
    F(duckdb_state, open_ext, (const char *, duckdb_database *, duckdb_config, char **))           \
    F(void, close, (duckdb_database *))                                                            \
    F(duckdb_state, connect, (duckdb_database, duckdb_connection *))                               \
    F(void, disconnect, (duckdb_connection *))                                                     \
    F(void, interrupt, (duckdb_connection))                                                        \
    F(duckdb_query_progress_type, query_progress, (duckdb_connection))                             \
    F(void, free, (void *))                                                                        \
    F(duckdb_state, query, (duckdb_connection, const char *, duckdb_result *))                     \
    F(void, destroy_result, (duckdb_result *))                                                     \
    F(idx_t, column_count, (duckdb_result *))                                                      \
    F(const char *, column_name, (duckdb_result *, idx_t))                                         \
    F(duckdb_logical_type, column_logical_type, (duckdb_result *, idx_t))                          \
    F(const char *, result_error, (duckdb_result *))                                               \
    F(duckdb_error_type, result_error_type, (duckdb_result *))                                     \
    F(duckdb_result_type, result_return_type, (duckdb_result))                                     \
    F(duckdb_data_chunk, fetch_chunk, (duckdb_result))                                             \
    F(duckdb_state, prepare, (duckdb_connection, const char *, duckdb_prepared_statement *))       \
    F(void, destroy_prepare, (duckdb_prepared_statement *))                                        \
    F(const char *, prepare_error, (duckdb_prepared_statement))                                    \
    F(duckdb_state, bind_parameter_index, (duckdb_prepared_statement, idx_t *, const char *))      \
    F(duckdb_state, bind_value, (duckdb_prepared_statement, idx_t, duckdb_value))                  \
    F(idx_t, prepared_statement_column_count, (duckdb_prepared_statement))                         \
    F(const char *, prepared_statement_column_name, (duckdb_prepared_statement, idx_t))            \
    F(duckdb_logical_type, prepared_statement_column_logical_type,                                 \
      (duckdb_prepared_statement, idx_t))                                                          \
    F(duckdb_state, pending_prepared_streaming,                                                    \
      (duckdb_prepared_statement, duckdb_pending_result *))                                        \
    F(duckdb_state, execute_pending, (duckdb_pending_result, duckdb_result *))                     \
    F(const char *, pending_error, (duckdb_pending_result))                                        \
    F(void, destroy_pending, (duckdb_pending_result *))                                            \
    F(idx_t, data_chunk_get_size, (duckdb_data_chunk))                                             \
    F(void, data_chunk_set_size, (duckdb_data_chunk, idx_t))                                       \
    F(duckdb_vector, data_chunk_get_vector, (duckdb_data_chunk, idx_t))                            \
    F(void, destroy_data_chunk, (duckdb_data_chunk *))                                             \
    F(void *, vector_get_data, (duckdb_vector))                                                    \
    F(uint64_t *, vector_get_validity, (duckdb_vector))                                            \
    F(void, vector_ensure_validity_writable, (duckdb_vector))                                      \
    F(void, unsafe_vector_assign_string_element_len,                                               \
      (duckdb_vector, idx_t, const char *, idx_t))                                                 \
    F(duckdb_vector, list_vector_get_child, (duckdb_vector))                                       \
    F(duckdb_state, list_vector_set_size, (duckdb_vector, idx_t))                                  \
    F(duckdb_state, list_vector_reserve, (duckdb_vector, idx_t))                                   \
    F(duckdb_vector, struct_vector_get_child, (duckdb_vector, idx_t))                              \
    F(duckdb_vector, array_vector_get_child, (duckdb_vector))                                      \
    F(duckdb_logical_type, create_logical_type, (duckdb_type))                                     \
    F(duckdb_logical_type, create_list_type, (duckdb_logical_type))                                \
    F(duckdb_logical_type, create_map_type, (duckdb_logical_type, duckdb_logical_type))            \
    F(duckdb_logical_type, create_struct_type, (duckdb_logical_type *, const char **, idx_t))      \
    F(duckdb_logical_type, create_decimal_type, (uint8_t, uint8_t))                                \
    F(void, destroy_logical_type, (duckdb_logical_type *))                                         \
    F(duckdb_type, get_type_id, (duckdb_logical_type))                                             \
    F(uint8_t, decimal_width, (duckdb_logical_type))                                               \
    F(uint8_t, decimal_scale, (duckdb_logical_type))                                               \
    F(duckdb_type, decimal_internal_type, (duckdb_logical_type))                                   \
    F(duckdb_type, enum_internal_type, (duckdb_logical_type))                                      \
    F(uint32_t, enum_dictionary_size, (duckdb_logical_type))                                       \
    F(char *, enum_dictionary_value, (duckdb_logical_type, idx_t))                                 \
    F(duckdb_logical_type, list_type_child_type, (duckdb_logical_type))                            \
    F(duckdb_logical_type, array_type_child_type, (duckdb_logical_type))                           \
    F(idx_t, array_type_array_size, (duckdb_logical_type))                                         \
    F(duckdb_logical_type, map_type_key_type, (duckdb_logical_type))                               \
    F(duckdb_logical_type, map_type_value_type, (duckdb_logical_type))                             \
    F(idx_t, struct_type_child_count, (duckdb_logical_type))                                       \
    F(char *, struct_type_child_name, (duckdb_logical_type, idx_t))                                \
    F(duckdb_logical_type, struct_type_child_type, (duckdb_logical_type, idx_t))                   \
    F(void, destroy_value, (duckdb_value *))                                                       \
    F(duckdb_value, create_null_value, (void))                                                     \
    F(duckdb_value, create_bool, (bool))                                                           \
    F(duckdb_value, create_int64, (int64_t))                                                       \
    F(duckdb_value, create_uint64, (uint64_t))                                                     \
    F(duckdb_value, create_float, (float))                                                         \
    F(duckdb_value, create_double, (double))                                                       \
    F(duckdb_value, create_decimal, (duckdb_decimal))                                              \
    F(duckdb_value, create_date, (duckdb_date))                                                    \
    F(duckdb_value, create_time, (duckdb_time))                                                    \
    F(duckdb_value, create_timestamp, (duckdb_timestamp))                                          \
    F(duckdb_value, create_timestamp_s, (duckdb_timestamp_s))                                      \
    F(duckdb_value, create_timestamp_ms, (duckdb_timestamp_ms))                                    \
    F(duckdb_value, create_timestamp_ns, (duckdb_timestamp_ns))                                    \
    F(duckdb_value, create_timestamp_tz, (duckdb_timestamp))                                       \
    F(duckdb_value, create_interval, (duckdb_interval))                                            \
    F(duckdb_value, create_uuid, (duckdb_uhugeint))                                                \
    F(duckdb_value, create_blob, (const uint8_t *, idx_t))                                         \
    F(duckdb_value, create_varchar, (const char *))                                                \
    F(duckdb_value, create_varchar_length, (const char *, idx_t))                                  \
    F(duckdb_value, create_list_value, (duckdb_logical_type, duckdb_value *, idx_t))               \
    F(duckdb_value, create_struct_value, (duckdb_logical_type, duckdb_value *))                    \
    F(int64_t, get_int64, (duckdb_value))                                                          \
    F(char *, value_to_string, (duckdb_value))                                                     \
    F(duckdb_table_function, create_table_function, (void))                                        \
    F(void, destroy_table_function, (duckdb_table_function *))                                     \
    F(void, table_function_set_name, (duckdb_table_function, const char *))                        \
    F(void, table_function_add_parameter, (duckdb_table_function, duckdb_logical_type))            \
    F(void, table_function_set_extra_info,                                                         \
      (duckdb_table_function, void *, duckdb_delete_callback_t))                                   \
    F(void, table_function_set_bind, (duckdb_table_function, duckdb_table_function_bind_t))        \
    F(void, table_function_set_init, (duckdb_table_function, duckdb_table_function_init_t))        \
    F(void, table_function_set_local_init, (duckdb_table_function, duckdb_table_function_init_t))  \
    F(void, table_function_set_function, (duckdb_table_function, duckdb_table_function_t))         \
    F(void, table_function_supports_projection_pushdown, (duckdb_table_function, bool))            \
    F(duckdb_state, register_table_function, (duckdb_connection, duckdb_table_function))           \
    F(void *, bind_get_extra_info, (duckdb_bind_info))                                             \
    F(void, bind_add_result_column, (duckdb_bind_info, const char *, duckdb_logical_type))         \
    F(duckdb_value, bind_get_parameter, (duckdb_bind_info, idx_t))                                 \
    F(void, bind_set_bind_data, (duckdb_bind_info, void *, duckdb_delete_callback_t))              \
    F(void, bind_set_cardinality, (duckdb_bind_info, idx_t, bool))                                 \
    F(void, bind_set_error, (duckdb_bind_info, const char *))                                      \
    F(void *, init_get_bind_data, (duckdb_init_info))                                              \
    F(void, init_set_init_data, (duckdb_init_info, void *, duckdb_delete_callback_t))              \
    F(idx_t, init_get_column_count, (duckdb_init_info))                                            \
    F(idx_t, init_get_column_index, (duckdb_init_info, idx_t))                                     \
    F(void, init_set_max_threads, (duckdb_init_info, idx_t))                                       \
    F(void, init_set_error, (duckdb_init_info, const char *))                                      \
    F(void *, function_get_bind_data, (duckdb_function_info))                                      \
    F(void *, function_get_init_data, (duckdb_function_info))                                      \
    F(void *, function_get_local_init_data, (duckdb_function_info))                                \
    F(void, function_set_error, (duckdb_function_info, const char *))                              \
    F(void, add_replacement_scan,                                                                  \
      (duckdb_database, duckdb_replacement_callback_t, void *, duckdb_delete_callback_t))          \
    F(void, replacement_scan_set_function_name, (duckdb_replacement_scan_info, const char *))      \
    F(void, replacement_scan_add_parameter, (duckdb_replacement_scan_info, duckdb_value))          \
    F(void, replacement_scan_set_error, (duckdb_replacement_scan_info, const char *))

struct duckdb_api {
    void *library; /* of dlopen; never closed: its threads and destructors outlive us */
#define DUCKDB_API_MEMBER(result, name, parameters) result(*name) parameters;
    DUCKDB_API_FUNCTIONS(DUCKDB_API_MEMBER)
#undef DUCKDB_API_MEMBER
};

#endif
