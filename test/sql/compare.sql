--
-- modelreg_compare: metrics of versions side by side
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;
\set SHOW_CONTEXT never
SELECT model_id AS a FROM modelreg_register('a', 'm', '1.0.0', performance_metrics => '{"f1": 0.8, "loss": 0.5, "only_a": 1, "size": 10}') \gset
SELECT model_id AS b FROM modelreg_register('b', 'm', '2.0.0', performance_metrics => '{"f1": 0.9, "loss": 0.25, "size": 10}', deployment_stage => 'production') \gset
SELECT model_id AS c FROM modelreg_register('c', 'other', '3.0.0', performance_metrics => '{"f1": 0.9, "loss": 0.75, "size": 10}') \gset
\set shown 'metric, version, value, rank, delta, is_best, higher_is_better'

-- In the order of the ids; delta is against the first, 1 is the best rank, and
-- less is better for a loss
SELECT :shown, deployment_stage FROM modelreg_compare(ARRAY[:'a', :'b', :'c']);
SELECT bool_and(c.model_id = i.id) AS ids
FROM modelreg_compare(ARRAY[:'a', :'b', :'c'], '{f1}') WITH ORDINALITY AS c (metric, model_id, version, stage, value, rank, delta, is_best, higher_is_better, n)
JOIN unnest(ARRAY[:'a', :'b', :'c']) WITH ORDINALITY AS i (id, n) USING (n);
SELECT :shown FROM modelreg_compare(ARRAY[:'c', :'a']);
SELECT :shown FROM modelreg_compare(ARRAY[:'b']);

-- Chosen metrics: each once, also one that no version has
SELECT :shown FROM modelreg_compare(ARRAY[:'b', :'a'], '{loss,f1,loss,none,NULL}');
SELECT :shown FROM modelreg_compare(ARRAY[:'b', :'a'], '{}');
-- a metric that the first version lacks has no delta
SELECT :shown FROM modelreg_compare(ARRAY[:'b', :'a'], '{only_a}');
-- an id twice counts once, at its first place
SELECT :shown FROM modelreg_compare(ARRAY[:'b', :'a', :'b'], '{f1}');
SELECT :shown FROM modelreg_compare(ARRAY[ARRAY[:'b'], ARRAY[:'a']], '{f1}');

-- Made for \crosstabview
SELECT metric, version, value FROM modelreg_compare(ARRAY[:'c', :'b', :'a']) \crosstabview
SELECT metric, version, rank FROM modelreg_compare(ARRAY[:'c', :'b', :'a']) \crosstabview

-- Where less is better by its name (metric_names has more)
SELECT modelreg.higher_is_better(metric) AS higher, string_agg(metric, ' ' ORDER BY metric COLLATE "C") AS metrics
FROM unnest(ARRAY['loss', 'val_loss', 'LOSS', 'loss_val', 'a_Loss_b', 'log_loss', 'logloss', 'error', 'error_rate', 'errors', 'mae', 'mse', 'rmse', 'mape',
	'latency', 'latency_p99', 'p99_latency_ms', 'duration', 'time', 'perplexity', 'fpr', 'eer',
	'f1', 'accuracy', 'precision', 'recall', 'auc', 'r2', 'glossy', 'lossless', 'closs', 'timeliness', 'uptime', 'maestro', 'terror', 'tpr', 'latency-p99', '']) AS metric
GROUP BY 1 ORDER BY 1;

-- unless an admin says otherwise, until it is reset
SELECT modelreg_set_metric_direction('loss', true), modelreg_set_metric_direction('f1', false, 'lower is the new higher');
SELECT metric, version, rank, is_best FROM modelreg_compare(ARRAY[:'a', :'b', :'c'], '{f1,loss}');
SELECT * FROM modelreg.metric_direction ORDER BY metric;
SELECT modelreg.higher_is_better('loss') AS loss, modelreg.higher_is_better('val_loss') AS val_loss, modelreg.higher_is_better('LOSS') AS upper;
SELECT modelreg_set_metric_direction('loss', true), modelreg_set_metric_direction('loss', false), modelreg_set_metric_direction('f1', NULL);
SELECT modelreg_set_metric_direction('loss', NULL), modelreg_set_metric_direction('loss', NULL), modelreg_set_metric_direction('never set', NULL);
SELECT metric, version, rank FROM modelreg_compare(ARRAY[:'a', :'b', :'c'], '{f1,loss}');
SELECT * FROM modelreg.metric_direction;
SELECT seq, event, old_values, new_values, reason FROM modelreg_history() WHERE event = 'metric_direction' ORDER BY seq;
SELECT modelreg_set_metric_direction('', true); -- error
SELECT modelreg_set_metric_direction(NULL, true); -- error
SELECT modelreg_set_metric_direction(E'a\nb', true); -- error

-- Values as float8, whatever jsonb holds
SELECT model_id AS d FROM modelreg_register('d', 'm', '4.0.0', performance_metrics => '{"f1": 0.30000000000000000001, "loss": -0, "big": 1.7976931348623157e308}') \gset
SELECT model_id AS e FROM modelreg_register('e', 'm', '5.0.0', performance_metrics => '{"f1": 0.3, "loss": 0, "big": -1.7976931348623157e308}') \gset
SELECT :shown FROM modelreg_compare(ARRAY[:'d', :'e'], '{f1,loss}');
-- the difference of finite numbers need not be finite
SELECT metric, version, rank, delta, is_best FROM modelreg_compare(ARRAY[:'e', :'d'], '{big}');

-- What cannot be compared
SELECT * FROM modelreg_compare(NULL); -- error
SELECT * FROM modelreg_compare('{}'); -- error
SELECT * FROM modelreg_compare(ARRAY[:'a', 'nobody', 'no one']); -- error
SELECT * FROM modelreg_compare(ARRAY[:'a', NULL]); -- error
\set VERBOSITY sqlstate
SELECT * FROM modelreg_compare(NULL); -- error
SELECT * FROM modelreg_compare(ARRAY[:'a', 'nobody']); -- error
SELECT * FROM modelreg_compare(ARRAY[:'a', NULL]); -- error
SELECT modelreg_set_metric_direction('', true); -- error
