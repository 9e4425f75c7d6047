/**
 * Every setting of the engine's pinned version, by what the fence does with it. A test compares these lists with the
 * engine's own catalogue, and tries to change each of them on a fenced engine.
 */

/** Set when a fenced engine is made, and locked from then on. */
export const START_SETTINGS = `
  TimeZone allow_community_extensions allow_persistent_secrets allowed_configs allowed_directories
  autoinstall_known_extensions autoload_known_extensions enable_external_access external_threads lock_configuration
  max_expression_depth memory_limit parquet_metadata_cache scheduler_process_partial temp_directory threads
  validate_external_file_cache`

/** What each session sets for itself; it changes no answer. */
export const SESSION_SETTINGS = 'enable_progress_bar enable_progress_bar_print'

/** What the engine does not lock: the lookup order of names in one session. No statement that sets them is accepted. */
export const UNLOCKABLE_SETTINGS = 'schema search_path'

/** Locked at the engine's defaults, by what they would reach. */
export const LOCKED_SETTINGS = {
  file: `
    allowed_paths disabled_filesystems enable_external_file_cache file_search_path home_directory log_query_path
    max_temp_directory_size profile_output profiling_output temp_file_encryption`,
  network: `
    custom_user_agent enable_http_logging enable_http_metadata_cache http_logging_output http_proxy
    http_proxy_password http_proxy_username`,
  extension: `
    allow_extensions_metadata_mismatch allow_parser_override_extension allow_unsigned_extensions
    autoinstall_extension_repository custom_extension_repository extension_directories extension_directory`,
  secret: `
    allow_unredacted_secrets default_secret_storage force_mbedtls_unsafe password secret_directory user username`,
  logging: `
    custom_profiling_settings disabled_log_types enable_logging enable_profiling enabled_log_types explain_output
    logging_level logging_mode logging_storage profiling_coverage profiling_mode progress_bar_time warnings_as_errors`,
  resources: `
    allocator_background_threads allocator_bulk_deallocation_flush_threshold allocator_flush_threshold
    block_allocator_memory catalog_error_max_schemas max_memory max_vacuum_tasks
    partitioned_write_flush_threshold partitioned_write_max_open_files pin_threads pivot_limit streaming_buffer_size
    worker_threads write_buffer_row_group_count write_buffer_row_group_memory_limit`,
  answer: `
    Calendar binary_as_string default_collation default_null_order default_order deprecated_using_key_syntax
    disable_timestamptz_casts enable_geoparquet_conversion errors_as_json ieee_floating_point_ops ignore_unknown_crs
    integer_division lambda_syntax null_order old_implicit_casting order_by_non_integer_literal
    preserve_identifier_case preserve_insertion_order scalar_subquery_error_on_multiple_rows`,
  planning: `
    asof_loop_join_threshold disabled_optimizers dynamic_or_filter_threshold enable_caching_operators
    enable_fsst_vectors enable_object_cache index_scan_max_count index_scan_percentage late_materialization_max_rows
    merge_join_threshold nested_loop_join_threshold ordered_aggregate_threshold perfect_ht_threshold
    pivot_filter_threshold prefer_range_joins`,
  storage: `
    __delta_only_variant_encoding_enabled access_mode auto_checkpoint_skip_wal_threshold checkpoint_threshold
    current_transaction_invalidation_policy default_block_size disable_database_invalidation
    disable_parquet_prefetching disabled_compression_methods enable_macro_dependencies enable_view_dependencies
    experimental_metadata_reuse force_bitpacking_mode force_column_metadata_reuse force_compression
    force_variant_shredding geometry_minimum_shredding_size immediate_transaction_mode prefetch_all_parquet_files
    storage_block_prefetch storage_compatibility_version vacuum_rebuild_indexes variant_minimum_shredding_size
    wal_autocheckpoint wal_autocheckpoint_entries zstd_min_string_length`,
  client: `
    arrow_large_buffer_size arrow_lossless_conversion arrow_output_list_view arrow_output_version duckdb_api
    produce_arrow_string_view`,
  debug: `
    debug_asof_iejoin debug_checkpoint_abort debug_checkpoint_sleep_ms debug_eviction_queue_sleep_micro_seconds
    debug_force_external debug_force_no_cross_product debug_physical_table_scan_execution_strategy
    debug_skip_checkpoint_on_commit debug_verify_blocks debug_verify_vector debug_window_mode`,
} as const
