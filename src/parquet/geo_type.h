/* GEOMETRY and GEOGRAPHY as Arrow's extension type geoarrow.wkb: what Parquet says by a coordinate
 * reference system and an interpolation of edges, GeoArrow says by an object of JSON.
 *
 * Source   Apache Parquet format 2.12, "Geospatial.md"; GeoArrow 0.2, "Extension type definitions" */
#ifndef STOA_PARQUET_GEO_TYPE_H
#define STOA_PARQUET_GEO_TYPE_H

#include "mem/arena.h"
#include "parquet/footer.h"

#define STOA_GEO_EXTENSION "geoarrow.wkb"

/// Interpolations of edges, by Parquet's numbers; NULL: none of them.
const char *stoa_geo_edges_name(int32_t edges);

/// The extension's metadata for a GEOMETRY or GEOGRAPHY element. A reference to the file's key-value
/// metadata ("projjson:KEY") is replaced by what stands there.
///
/// Owns     `*out` comes from `arena`.
STOA_MUST_USE stoa_status stoa_geo_metadata(stoa_arena *arena, const stoa_parquet_footer *footer,
                                            const stoa_parquet_element *element, const char **out,
                                            stoa_error *err);

/// What metadata says: `*out_edges` is -1 for a GEOMETRY, `out_crs` is left empty for the default.
/// Metadata that is not GeoArrow's says nothing.
STOA_MUST_USE stoa_status stoa_geo_parse(const char *metadata, stoa_buffer *out_crs,
                                         int32_t *out_edges, stoa_error *err);

#endif
