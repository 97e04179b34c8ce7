/* Loading, with what tests change. */
#ifndef STOA_INGEST_LOAD_H
#define STOA_INGEST_LOAD_H

#include <stoa/load.h>

#include "ingest/text_source.h"

/// stoa_load with other sizes. `options` is not NULL.
STOA_MUST_USE stoa_status stoa_ingest_load(stoa_database *database, const char *table,
                                           const char *const *paths, size_t path_count,
                                           const stoa_load_options *options,
                                           const stoa_ingest_tuning *tuning, stoa_load_report *out,
                                           stoa_error *err);

/// The same for options with `sort`.
STOA_MUST_USE stoa_status stoa_ingest_load_sorted(stoa_database *database, const char *table,
                                                  const char *const *paths, size_t path_count,
                                                  const stoa_load_options *options,
                                                  const stoa_ingest_tuning *tuning,
                                                  stoa_load_report *out, stoa_error *err);

#endif
