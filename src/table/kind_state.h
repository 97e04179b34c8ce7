/* What the files of the kind state share: functions of its access method, see kind.h. */
#ifndef STOA_TABLE_KIND_STATE_H
#define STOA_TABLE_KIND_STATE_H

#include "table/internal.h"

/// To be written, by rows of the entry's columns.
///
/// Errors   STOA_CONFLICT  it was dropped, or has other columns, since the entry was read
STOA_MUST_USE stoa_status stoa_kind_state_open_table(stoa_store *store, const stoa_entry *entry,
                                                     stoa_state **out, stoa_error *err);

STOA_MUST_USE stoa_status stoa_kind_state_create(stoa_database *database, const stoa_change *change,
                                                 stoa_error *err);
void stoa_kind_state_remove(stoa_database *database, int64_t table_id);
STOA_MUST_USE stoa_status stoa_kind_state_write(stoa_transaction *transaction,
                                                stoa_change *const *changes, int64_t count,
                                                stoa_error *err);
STOA_MUST_USE stoa_status stoa_kind_state_verify(stoa_database *database, stoa_kind_check *check,
                                                 stoa_error *err);
STOA_MUST_USE stoa_status stoa_kind_state_check_writable(stoa_database *database, stoa_error *err);

STOA_MUST_USE stoa_status stoa_kind_state_writer_open(const stoa_sink *sink, void **out,
                                                      stoa_error *err);
STOA_MUST_USE stoa_status stoa_kind_state_writer_write(void *state, struct ArrowArray *batch,
                                                       stoa_error *err);
STOA_MUST_USE stoa_status stoa_kind_state_writer_finish(void *state, stoa_part_vector *out,
                                                        stoa_error *err);
void stoa_kind_state_writer_close(void *state);

#endif
