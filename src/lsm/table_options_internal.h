/* Making a definition piece by piece, from options or from the manifest's text: the checks are here,
 * so that both go through the same. */
#ifndef STOA_LSM_TABLE_OPTIONS_INTERNAL_H
#define STOA_LSM_TABLE_OPTIONS_INTERNAL_H

#include "lsm/table_options.h"

struct stoa_definition_maker {
    stoa_definition *definition; /* NULL once it is finished */
    bool *has_operator;          /* one a column: it was named */
    stoa_error *err;
};

/// Has the options' defaults and no key yet.
STOA_MUST_USE stoa_status stoa_definition_begin(struct stoa_definition_maker *maker,
                                                stoa_pool *pool, const stoa_schema *schema,
                                                stoa_error *err);
/// Before anything else that names columns. Errors as stoa_key_format_init.
STOA_MUST_USE stoa_status stoa_definition_set_key(struct stoa_definition_maker *maker,
                                                  const stoa_key_column *columns, int32_t count);
/// `program` is copied; NULL for all but STOA_MERGE_PROGRAM.
STOA_MUST_USE stoa_status stoa_definition_set_operator(struct stoa_definition_maker *maker,
                                                       int32_t column,
                                                       stoa_merge_operator merge_operator,
                                                       const char *program);
STOA_MUST_USE stoa_status stoa_definition_set_ttl(struct stoa_definition_maker *maker,
                                                  int32_t column, int64_t ttl_ms);
STOA_MUST_USE stoa_status stoa_definition_set_storage(struct stoa_definition_maker *maker,
                                                      stoa_compaction_style compaction,
                                                      uint64_t fifo_bytes, const char *codec,
                                                      int32_t filter_bits);
/// With STOA_OK the definition is in `*out`, else it is gone.
STOA_MUST_USE stoa_status stoa_definition_end(struct stoa_definition_maker *maker,
                                              stoa_status status, stoa_definition **out);

enum { STOA_DEFINITION_CODECS = 3 };
extern const char *const stoa_definition_codecs[STOA_DEFINITION_CODECS];

/// "add"; and back, -1 where there is none of that name.
const char *stoa_merge_operator_name(stoa_merge_operator merge_operator);
int32_t stoa_merge_operator_find(const char *name, size_t size);

#endif
