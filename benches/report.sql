-- Every cell of the default report, in one pass over the file: sums by day, model and task type with
-- their durations as lists; totals, windows, weeks, models and task types are sums of these, and the
-- durations are sorted by counting. FILE is replaced by the ledger's path.
WITH cells AS MATERIALIZED (
    SELECT timestamp[1:10]::DATE AS day, model, task_type,
           count(*) AS tasks, count_if(task_success) AS successes,
           sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion,
           sum(duration_ms) AS worked, max(duration_ms) AS longest, list(duration_ms) AS durations
    FROM read_csv('FILE', header = true, auto_detect = false, delim = ',', quote = '"',
                  escape = '"', new_line = '\n', columns = {
                      'timestamp': 'VARCHAR', 'model': 'VARCHAR', 'prompt_tokens': 'BIGINT',
                      'completion_tokens': 'BIGINT', 'task_success': 'BOOLEAN',
                      'task_type': 'VARCHAR', 'duration_ms': 'BIGINT', 'notes': 'VARCHAR'})
    GROUP BY ALL),
dated AS MATERIALIZED (
    SELECT *, greatest(date_trunc('week', day), date_trunc('week', newest) - INTERVAL 56 DAYS)
               ::DATE::VARCHAR AS week,
           CASE WHEN newest - day < 7 THEN 'last7' WHEN newest - day < 14 THEN 'previous7' END AS part
    FROM cells, (SELECT max(day) AS newest FROM cells)),
lists AS MATERIALIZED (
    SELECT task_type, week, part, flatten(list(durations)) AS durations FROM dated GROUP BY ALL),
counts AS MATERIALIZED (
    SELECT task_type, week, part, ms, count(*) AS n
    FROM (SELECT task_type, week, part, unnest(durations) AS ms FROM lists) GROUP BY ALL),
sets AS (
    SELECT 'all' AS kind, '' AS key, ms, sum(n) AS n FROM counts GROUP BY ms
    UNION ALL SELECT 'task_type', task_type, ms, sum(n) FROM counts GROUP BY task_type, ms
    UNION ALL SELECT 'week', week, ms, sum(n) FROM counts GROUP BY week, ms
    UNION ALL SELECT 'window', part, ms, sum(n) FROM counts WHERE part IS NOT NULL GROUP BY part, ms),
summed AS (
    SELECT kind, key, ms, sum(n) OVER (PARTITION BY kind, key ORDER BY ms) AS below,
           sum(n) OVER (PARTITION BY kind, key) AS n FROM sets),
percentiles AS (
    SELECT kind, key, min(ms) FILTER (below > n * 50 // 100) AS p50,
           min(ms) FILTER (below > n * 95 // 100) AS p95 FROM summed GROUP BY kind, key),
sums AS (
    SELECT 'all' AS kind, '' AS key, sum(tasks) AS tasks, sum(successes) AS successes,
           sum(prompt) AS prompt, sum(completion) AS completion, sum(worked) AS worked,
           max(longest) AS longest FROM dated
    UNION ALL SELECT 'task_type', task_type, sum(tasks), sum(successes), sum(prompt),
           sum(completion), sum(worked), max(longest) FROM dated GROUP BY task_type
    UNION ALL SELECT 'week', week, sum(tasks), sum(successes), sum(prompt), sum(completion),
           sum(worked), max(longest) FROM dated GROUP BY week
    UNION ALL SELECT 'window', part, sum(tasks), sum(successes), sum(prompt), sum(completion),
           sum(worked), max(longest) FROM dated WHERE part IS NOT NULL GROUP BY part
    UNION ALL SELECT 'model', model, sum(tasks), sum(successes), sum(prompt), sum(completion),
           sum(worked), max(longest) FROM dated GROUP BY model)
SELECT kind, key, tasks, successes, prompt, completion, worked, longest, p50, p95
FROM sums LEFT JOIN percentiles USING (kind, key)
