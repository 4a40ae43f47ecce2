-- Keys come as (preset, value) on standard input; answers go out as preset|value|hash, first the server's version.
SELECT 'version||' || current_setting('server_version');
CREATE TEMP TABLE keys (place serial, preset text, value text);
\copy keys (preset, value) from pstdin
SELECT preset, value, CASE preset
  WHEN 'citus-text' THEN hashtext(convert_from(decode(value, 'hex'), 'SQL_ASCII'))
  WHEN 'citus-int4' THEN hashint4(value::int4)
  WHEN 'citus-int8' THEN hashint8(value::int8)
  WHEN 'citus-uuid' THEN uuid_hash(value::uuid)
END FROM keys ORDER BY place;
