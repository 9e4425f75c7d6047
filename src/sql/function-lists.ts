/**
 * Every function of the engine's pinned version, by what the fence does with it: allowed, or refused for a reason.
 * A test compares these lists with the engine's own catalogue, so that a new version brings nothing in unseen.
 */

/** Why a function is refused. */
export type FunctionReason =
  | 'file'
  | 'secret'
  | 'environment'
  | 'settings'
  | 'catalog'
  | 'dynamic'
  | 'state'
  | 'effect'
  | 'wait'
  | 'statement'
  | 'internal'

/** What a reason means: the end of an error's sentence, and a line of the reference page. */
export const FUNCTION_REASONS: Record<FunctionReason, string> = {
  file: 'it reads files; import or register the data and query the table',
  secret: 'it tells of credentials',
  environment: 'it tells of the machine or the process',
  settings: 'it reads or changes settings',
  catalog: "it tells of the engine's own catalogue; `skep tables` and `skep describe T` list tables and columns",
  dynamic: 'it runs or names what is only known when it runs',
  state: 'it tells of other queries, or of the engine itself',
  effect: 'it leaves something behind',
  wait: 'it only waits',
  statement: 'it is a statement of its own, not part of a query',
  internal: 'it is internal to the engine',
}

/** The kinds of functions as the catalogue names them. */
export type FunctionKind = 'scalar' | 'aggregate' | 'macro' | 'table' | 'table_macro' | 'pragma'

/** Names of functions, separated by white space, by what is done with them. */
export type FunctionLists = { readonly [K in 'allowed' | FunctionReason]?: string }

/** The languages whose collation is a function `icu_collate_…`: all of them are allowed. */
export const COLLATIONS = `
  af am ar ar_sa as az be bg bn bo br bs ca ceb chr cs cy da de de_at dsb dz ee el en en_us eo es et fa fa_af ff fi
  fil fo fr fr_ca fy ga gl gu ha haw he he_il hi hr hsb hu hy id id_id ig is it ja ka kk kl km kn ko kok ku ky lb lij
  lkt ln lo lt lv mk ml mn mr ms mt my nb nb_no ne nl nn noaccent nso om or pa pa_in pl ps pt ro ru sa se si sk sl smn
  sq sr sr_ba sr_me sr_rs st sv sw ta te th tk tn to tr ug uk ur uz vi wae wo xh yi yo yue yue_cn zh zh_cn zh_hk zh_mo
  zh_sg zh_tw zu`

/** The lists. Names that begin with `icu_collate_` stand in {@link COLLATIONS}. */
export const FUNCTION_LISTS: { readonly [K in FunctionKind]: FunctionLists } = {
  scalar: {
    allowed: `
      !__postfix !~~ !~~* % & && * ** + - ->> / // <-> << <=> <@ >> @ @> ^ ^@ abs acos acosh add age aggregate alias
      apply array_aggr array_aggregate array_apply array_cat array_concat array_contains array_cosine_distance
      array_cosine_similarity array_cross_product array_distance array_distinct array_dot_product array_extract
      array_filter array_grade_up array_has array_has_all array_has_any array_indexof array_inner_product
      array_intersect array_length array_negative_dot_product array_negative_inner_product array_position array_reduce
      array_resize array_reverse_sort array_select array_slice array_sort array_to_json array_transform array_unique
      array_value array_where array_zip ascii asin asinh atan atan2 atanh bar base64 bin bit_count bit_length
      bit_position bitstring can_cast_implicitly cardinality cast_to_type cbrt ceil ceiling century char_length
      character_length chr concat concat_ws contains cos cosh cot current_database current_date current_localtime
      current_localtimestamp current_schema current_schemas damerau_levenshtein date_diff date_part date_sub
      date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear decade decode degrees
      divide editdist3 element_at encode ends_with enum_code enum_first enum_last enum_range enum_range_boundary epoch
      epoch_ms epoch_ns epoch_us equi_width_bins era error even exp factorial filter flatten floor format
      formatReadableDecimalSize formatReadableSize format_bytes from_base64 from_binary from_hex from_json
      from_json_strict gamma gcd gen_random_uuid generate_series get_bit get_current_time get_current_timestamp
      get_type grade_up greatest greatest_common_divisor hamming hash hex hour icu_sort_key ilike_escape instr
      is_histogram_other_bin isfinite isinf isnan isodow isoyear jaccard jaro_similarity jaro_winkler_similarity
      json_array json_array_length json_contains json_exists json_extract json_extract_path
      json_extract_path_text json_extract_string json_keys json_merge_patch json_object json_pretty json_quote
      json_serialize_sql json_structure json_transform json_transform_strict json_type json_valid json_value julian
      last_day lcase lcm least least_common_multiple left left_grapheme len length length_grapheme levenshtein lgamma
      like_escape list_aggr list_aggregate list_apply list_cat list_concat list_contains list_cosine_distance
      list_cosine_similarity list_distance list_distinct list_dot_product list_element list_extract list_filter
      list_grade_up list_has list_has_all list_has_any list_indexof list_inner_product list_intersect
      list_negative_dot_product list_negative_inner_product list_pack list_position list_reduce list_resize
      list_reverse_sort list_select list_slice list_sort list_transform list_unique list_value list_where list_zip ln
      log log10 log2 lower lpad ltrim make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns
      make_timestamptz make_type map map_concat map_contains map_entries map_extract map_extract_value
      map_from_entries map_keys map_values md5 md5_number microsecond millennium millisecond minute mismatches mod
      month monthname multiply nanosecond nextafter nfc_normalize normalized_interval not_ilike_escape not_like_escape
      now octet_length ord parse_dirname parse_dirpath parse_filename parse_formatted_bytes parse_path pi position pow
      power prefix printf quarter radians random range reduce regexp_escape regexp_extract regexp_extract_all
      regexp_full_match regexp_matches regexp_replace regexp_split_to_array repeat replace reverse right
      right_grapheme round row row_to_json rpad rtrim second set_bit sha1 sha256 sign signbit sin sinh split sqrt
      st_asbinary st_astext st_aswkb st_aswkt st_crs st_geomfromwkb st_intersects_extent st_setcrs starts_with
      str_split str_split_regex strftime string_split string_split_regex string_to_array strip_accents strlen strpos
      strptime struct_concat struct_contains struct_extract struct_extract_at struct_has struct_indexof struct_insert
      struct_keys struct_pack struct_position struct_update struct_values substr substring substring_grapheme subtract
      suffix tan tanh time_bucket timezone timezone_hour timezone_minute to_base to_base64 to_binary to_centuries
      to_days to_decades to_hex to_hours to_json to_microseconds to_millennia to_milliseconds to_minutes to_months
      to_quarters to_seconds to_timestamp to_weeks to_years today transaction_timestamp translate trim trunc
      try_strptime typeof ucase unbin unhex unicode union_extract union_tag union_value unpivot_list upper url_decode
      url_encode uuid uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 variant_extract variant_typeof version
      week weekday weekofyear xor year yearweek | || ~ ~~ ~~* ~~~`,
    settings: 'current_setting getvariable setseed',
    state: 'current_connection_id current_query current_query_id current_transaction_id currval nextval txid_current',
    wait: 'sleep_ms',
    effect: 'write_log',
    dynamic: 'json_deserialize_sql json_serialize_plan',
    catalog: 'in_search_path',
    internal: `
      __internal_compress_integral_ubigint __internal_compress_integral_uinteger
      __internal_compress_integral_usmallint __internal_compress_integral_utinyint __internal_compress_string_hugeint
      __internal_compress_string_ubigint __internal_compress_string_uhugeint __internal_compress_string_uinteger
      __internal_compress_string_usmallint __internal_compress_string_utinyint __internal_decompress_integral_bigint
      __internal_decompress_integral_hugeint __internal_decompress_integral_integer
      __internal_decompress_integral_smallint __internal_decompress_integral_ubigint
      __internal_decompress_integral_uhugeint __internal_decompress_integral_uinteger
      __internal_decompress_integral_usmallint __internal_decompress_string combine constant_or_null create_sort_key
      finalize parse_duckdb_log_message remap_struct replace_type stats switch timetz_byte_comparable
      variant_bytes_to_variant variant_normalize variant_to_parquet_variant vector_type`,
  },
  aggregate: {
    allowed: `
      any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last
      arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or bit_xor bitstring_agg
      bool_and bool_or corr count count_if count_star countif covar_pop covar_samp cume_dist dense_rank entropy favg
      fill first first_value fsum group_concat histogram histogram_exact kahan_sum kurtosis kurtosis_pop lag last
      last_value lead list listagg mad max max_by mean median min min_by mode nth_value ntile percent_rank product
      quantile quantile_cont quantile_disc rank rank_dense regr_avgx regr_avgy regr_count regr_intercept regr_r2
      regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile row_number sem skewness stddev stddev_pop stddev_samp
      string_agg sum sum_no_overflow sumkahan var_pop var_samp variance`,
  },
  macro: {
    allowed: `
      ago array_append array_pop_back array_pop_front array_prepend array_push_back array_push_front array_reverse
      array_to_string array_to_string_comma_default current_catalog current_database current_role current_schema
      current_schemas current_user date_add days_in_month fdiv fmod generate_subscripts geomean geometric_mean json
      json_group_array json_group_object json_group_structure list_any_value list_append list_approx_count_distinct
      list_avg list_bit_and list_bit_or list_bit_xor list_bool_and list_bool_or list_count list_entropy list_first
      list_histogram list_kurtosis list_kurtosis_pop list_last list_mad list_max list_median list_min list_mode
      list_prepend list_product list_reverse list_sem list_skewness list_stddev_pop list_stddev_samp list_string_agg
      list_sum list_var_pop list_var_samp map_contains_entry map_contains_value md5_number_lower md5_number_upper
      nullif pg_size_pretty pg_typeof regexp_split_to_table round_even roundbankers session_user split_part user wavg
      weighted_avg`,
    state: 'current_query',
    wait: 'pg_sleep',
    environment: `
      inet_client_addr inet_client_port inet_server_addr inet_server_port pg_conf_load_time pg_postmaster_start_time`,
    catalog: `
      col_description format_pg_type format_type get_block_size has_any_column_privilege has_column_privilege
      has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege
      has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege
      map_to_pg_oid obj_description pg_collation_is_visible pg_conversion_is_visible pg_function_is_visible
      pg_get_constraintdef pg_get_expr pg_get_viewdef pg_has_role pg_is_other_temp_schema pg_my_temp_schema
      pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible pg_table_is_visible pg_ts_config_is_visible
      pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible shobj_description`,
  },
  table: {
    allowed: `
      generate_series icu_calendar_names json_each json_tree pg_timezone_names range repeat repeat_row unnest`,
    file: `
      glob parquet_bloom_probe parquet_file_metadata parquet_full_metadata parquet_kv_metadata parquet_metadata
      parquet_scan parquet_schema read_blob read_csv read_csv_auto read_duckdb read_json read_json_auto
      read_json_objects read_json_objects_auto read_ndjson read_ndjson_auto read_ndjson_objects read_parquet read_text
      sniff_csv`,
    secret: 'duckdb_secret_types duckdb_secrets which_secret',
    settings: `
      disable_logging disable_peg_parser disable_profiling duckdb_settings duckdb_variables enable_logging
      enable_peg_parser enable_profiling`,
    effect: 'checkpoint force_checkpoint truncate_duckdb_logs',
    dynamic: 'json_execute_serialized_sql query query_table',
    environment: 'pragma_platform pragma_user_agent pragma_version',
    state: `
      duckdb_approx_database_count duckdb_connection_count duckdb_external_file_cache duckdb_log_contexts duckdb_logs
      duckdb_memory duckdb_optimizers duckdb_prepared_statements duckdb_temporary_files`,
    catalog: `
      duckdb_columns duckdb_constraints duckdb_coordinate_systems duckdb_databases duckdb_dependencies
      duckdb_extensions duckdb_functions duckdb_indexes duckdb_keywords duckdb_schemas duckdb_sequences
      duckdb_table_sample duckdb_tables duckdb_types duckdb_views pragma_collations pragma_database_size
      pragma_metadata_info pragma_show pragma_storage_info pragma_table_info sql_auto_complete`,
    internal: 'arrow_scan arrow_scan_dumb check_peg_parser seq_scan summary test_all_types test_vector_types',
  },
  table_macro: {
    state: 'duckdb_logs_parsed',
    settings: 'duckdb_profiling_settings',
    dynamic: 'histogram histogram_values',
  },
  pragma: {
    statement: `
      add_parquet_key all_profiling_output collations copy_database database_list database_size
      disable_checkpoint_on_shutdown disable_object_cache disable_optimizer disable_print_progress_bar disable_profile
      disable_profiling disable_progress_bar disable_verification disable_verify_external disable_verify_fetch_row
      disable_verify_parallelism disable_verify_serializer enable_checkpoint_on_shutdown enable_object_cache
      enable_optimizer enable_print_progress_bar enable_profile enable_profiling enable_progress_bar
      enable_verification extension_versions force_checkpoint functions import_database json_execute_serialized_sql
      metadata_info platform show show_databases show_tables show_tables_expanded storage_info table_info user_agent
      verify_external verify_fetch_row verify_parallelism verify_serializer version`,
  },
}

/** What the parser knows beyond the catalogue, and what the command line of the engine adds to it. */
export const UNLISTED: FunctionLists = {
  allowed: 'unlist unnest',
  environment: 'getenv',
}

/** The allowed functions that give another value at every call. */
export const VOLATILE_FUNCTIONS = 'gen_random_uuid random uuid uuidv4 uuidv7'
