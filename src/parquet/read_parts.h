/* Cutting the rows that a plan wants into batches and parts. */
#ifndef STOA_PARQUET_READ_PARTS_H
#define STOA_PARQUET_READ_PARTS_H

#include "parquet/read_plan.h"

/// Chooses the rows of a batch where the options leave it open, and makes the plan's parts and its
/// window. The plan's options, leaves and schema are there.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_read_parts_make(stoa_read_plan *plan, int32_t lane_count,
                                               stoa_error *err);

/// Bytes of a leaf's values in batches of the whole file, as far as the footer tells.
double stoa_read_leaf_weight(const stoa_read_plan *plan, const stoa_read_node *node);

#endif
