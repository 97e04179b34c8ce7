/* Stoa: records kept in columns. Arrow in memory, Parquet on disk, SQL by an embedded DuckDB. */
#ifndef STOA_H
#define STOA_H

#include <stoa/arrow.h>
#include <stoa/async.h>
#include <stoa/backup.h>
#include <stoa/context.h>
#include <stoa/database.h>
#include <stoa/fs.h>
#include <stoa/http.h>
#include <stoa/load.h>
#include <stoa/log.h>
#include <stoa/memory.h>
#include <stoa/query.h>
#include <stoa/s3.h>
#include <stoa/sched.h>
#include <stoa/schema.h>
#include <stoa/state.h>
#include <stoa/state_maintenance.h>
#include <stoa/state_transaction.h>
#include <stoa/status.h>
#include <stoa/stream.h>
#include <stoa/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/// "0.1.0"
STOA_API const char *stoa_version(void);

#ifdef __cplusplus
}
#endif
#endif
