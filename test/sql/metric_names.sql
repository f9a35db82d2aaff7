--
-- Which way is better by a metric's name: the names that libraries give theirs
--
-- Names: of scikit-learn 1.9.1, torchmetrics 1.9.0 and Keras' classes (3.15.1) by program; of XGBoost 3.2.0, LightGBM 4.7.0 and Keras' losses by hand, the
-- first two tried in a training. Directions: what the library says of itself (a scorer's sign, Keras' _direction, LightGBM's is_higher_better,
-- torchmetrics' higher_is_better), else the measure's definition: XGBoost, sklearn.metrics' functions, many of torchmetrics. By definition,
-- otherwise than the library says: LightGBM's r2, torchmetrics' DaviesBouldinScore. NULL although the library says something: WordInfoPreserved,
-- SpectralDistortionIndex, PerceptualPathLength, BinaryFairness, BinaryGroupStatRates, RetrievalMetric, RetrievalPrecisionRecallCurve. Keras' losses
-- dice and tversky share their names with indexes where higher is better.
--
SET client_min_messages = error;
DROP EXTENSION IF EXISTS modelreg CASCADE;
CREATE EXTENSION modelreg;
RESET client_min_messages;

CREATE TEMP TABLE known (library text, higher_is_better boolean, metric text);
INSERT INTO known
SELECT v.library, v.higher_is_better, m.metric
FROM (VALUES
	('scikit-learn', true, ARRAY[
		'accuracy', 'adjusted_mutual_info_score', 'adjusted_rand_score', 'average_precision', 'balanced_accuracy', 'completeness_score',
		'd2_absolute_error_score', 'd2_brier_score', 'd2_log_loss_score', 'explained_variance', 'f1', 'f1_macro', 'f1_micro', 'f1_samples', 'f1_weighted',
		'fowlkes_mallows_score', 'homogeneity_score', 'jaccard', 'jaccard_macro', 'jaccard_micro', 'jaccard_samples', 'jaccard_weighted',
		'matthews_corrcoef', 'mutual_info_score', 'neg_brier_score', 'neg_log_loss', 'neg_max_error', 'neg_mean_absolute_error',
		'neg_mean_absolute_percentage_error', 'neg_mean_gamma_deviance', 'neg_mean_poisson_deviance', 'neg_mean_squared_error',
		'neg_mean_squared_log_error', 'neg_median_absolute_error', 'neg_negative_likelihood_ratio', 'neg_root_mean_squared_error',
		'neg_root_mean_squared_log_error', 'normalized_mutual_info_score', 'positive_likelihood_ratio', 'precision', 'precision_macro', 'precision_micro',
		'precision_samples', 'precision_weighted', 'r2', 'rand_score', 'recall', 'recall_macro', 'recall_micro', 'recall_samples', 'recall_weighted',
		'roc_auc', 'roc_auc_ovo', 'roc_auc_ovo_weighted', 'roc_auc_ovr', 'roc_auc_ovr_weighted', 'top_k_accuracy', 'v_measure_score']),
	('scikit-learn functions', true, ARRAY[
		'accuracy_score', 'auc', 'average_precision_score', 'balanced_accuracy_score', 'calinski_harabasz_score', 'cohen_kappa_score', 'consensus_score',
		'd2_pinball_score', 'd2_tweedie_score', 'dcg_score', 'explained_variance_score', 'f1_score', 'fbeta_score', 'homogeneity_completeness_v_measure',
		'jaccard_score', 'label_ranking_average_precision_score', 'ndcg_score', 'precision_score', 'r2_score', 'recall_score', 'roc_auc_score',
		'silhouette_samples', 'silhouette_score', 'top_k_accuracy_score']),
	('scikit-learn functions', false, ARRAY[
		'brier_score_loss', 'coverage_error', 'davies_bouldin_score', 'hamming_loss', 'hinge_loss', 'label_ranking_loss', 'log_loss', 'max_error',
		'mean_absolute_error', 'mean_absolute_percentage_error', 'mean_gamma_deviance', 'mean_pinball_loss', 'mean_poisson_deviance', 'mean_squared_error',
		'mean_squared_log_error', 'mean_tweedie_deviance', 'median_absolute_error', 'root_mean_squared_error', 'root_mean_squared_log_error',
		'zero_one_loss']),
	('scikit-learn functions', NULL, ARRAY[
		'ConfusionMatrixDisplay', 'DetCurveDisplay', 'DistanceMetric', 'PrecisionRecallDisplay', 'PredictionErrorDisplay', 'RocCurveDisplay',
		'check_scoring', 'class_likelihood_ratios', 'classification_report', 'cluster', 'confusion_matrix', 'confusion_matrix_at_thresholds', 'det_curve',
		'euclidean_distances', 'get_scorer', 'get_scorer_names', 'make_scorer', 'metric_at_thresholds', 'multilabel_confusion_matrix',
		'nan_euclidean_distances', 'pair_confusion_matrix', 'pairwise_distances', 'pairwise_distances_argmin', 'pairwise_distances_argmin_min',
		'pairwise_distances_chunked', 'pairwise_kernels', 'precision_recall_curve', 'precision_recall_fscore_support', 'roc_curve']),
	('Keras', true, ARRAY[
		'CosineSimilarity', 'cosine_similarity', 'R2Score', 'r2_score', 'IoU', 'BinaryIoU', 'binary_iou', 'MeanIoU', 'mean_iou', 'OneHotIoU', 'one_hot_iou',
		'OneHotMeanIoU', 'one_hot_mean_iou', 'TrueNegatives', 'true_negatives', 'TruePositives', 'true_positives', 'Precision', 'Recall',
		'SensitivityAtSpecificity', 'sensitivity_at_specificity', 'SpecificityAtSensitivity', 'specificity_at_sensitivity', 'PrecisionAtRecall',
		'precision_at_recall', 'RecallAtPrecision', 'recall_at_precision', 'AUC', 'FBetaScore', 'fbeta_score', 'F1Score', 'f1_score', 'Accuracy',
		'accuracy', 'BinaryAccuracy', 'binary_accuracy', 'CategoricalAccuracy', 'categorical_accuracy', 'SparseCategoricalAccuracy',
		'sparse_categorical_accuracy', 'TopKCategoricalAccuracy', 'top_k_categorical_accuracy', 'SparseTopKCategoricalAccuracy',
		'sparse_top_k_categorical_accuracy', 'PearsonCorrelation', 'pearson_correlation', 'ConcordanceCorrelation', 'concordance_correlation']),
	('Keras', false, ARRAY[
		'KLDivergence', 'kl_divergence', 'Poisson', 'poisson', 'BinaryCrossentropy', 'binary_crossentropy', 'CategoricalCrossentropy',
		'categorical_crossentropy', 'SparseCategoricalCrossentropy', 'sparse_categorical_crossentropy', 'MeanSquaredError', 'mean_squared_error',
		'MeanAbsoluteError', 'mean_absolute_error', 'MeanAbsolutePercentageError', 'mean_absolute_percentage_error', 'MeanSquaredLogarithmicError',
		'mean_squared_logarithmic_error', 'RootMeanSquaredError', 'root_mean_squared_error', 'LogCoshError', 'logcosh', 'Hinge', 'hinge', 'SquaredHinge',
		'squared_hinge', 'CategoricalHinge', 'categorical_hinge', 'FalsePositives', 'false_positives', 'FalseNegatives', 'false_negatives',
		'binary_focal_crossentropy', 'categorical_focal_crossentropy', 'categorical_generalized_cross_entropy', 'huber_loss', 'log_cosh', 'circle', 'ctc',
		'kld', 'mae', 'mape', 'mse', 'msle', 'MSE', 'loss', 'val_loss']),
	('Keras', NULL, ARRAY[
		'Sum', 'sum', 'Mean', 'mean', 'dice', 'tversky']),
	('XGBoost', true, ARRAY[
		'auc', 'validation_0-auc', 'aucpr', 'validation_0-aucpr', 'pre', 'validation_0-pre', 'pre@5', 'validation_0-pre@5', 'ams@0.15',
		'validation_0-ams@0.15', 'ndcg', 'validation_0-ndcg', 'ndcg@5', 'validation_0-ndcg@5', 'ndcg-', 'validation_0-ndcg-', 'ndcg@5-',
		'validation_0-ndcg@5-', 'map', 'validation_0-map', 'map@5', 'validation_0-map@5', 'map-', 'validation_0-map-', 'map@5-', 'validation_0-map@5-',
		'interval-regression-accuracy', 'validation_0-interval-regression-accuracy', 'test-auc-mean']),
	('XGBoost', false, ARRAY[
		'rmse', 'validation_0-rmse', 'rmsle', 'validation_0-rmsle', 'mae', 'validation_0-mae', 'mape', 'validation_0-mape', 'mphe', 'validation_0-mphe',
		'logloss', 'validation_0-logloss', 'error', 'validation_0-error', 'error@0.7', 'validation_0-error@0.7', 'merror', 'validation_0-merror',
		'mlogloss', 'validation_0-mlogloss', 'poisson-nloglik', 'validation_0-poisson-nloglik', 'gamma-nloglik', 'validation_0-gamma-nloglik',
		'cox-nloglik', 'validation_0-cox-nloglik', 'gamma-deviance', 'validation_0-gamma-deviance', 'tweedie-nloglik@1.5',
		'validation_0-tweedie-nloglik@1.5', 'aft-nloglik', 'validation_0-aft-nloglik', 'quantile', 'validation_0-quantile', 'test-rmse-mean']),
	('XGBoost', NULL, ARRAY[
		'test-rmse-std', 'train-auc-std']),
	('LightGBM', true, ARRAY[
		'r2', 'valid_0''s r2', 'auc', 'valid_0''s auc', 'average_precision', 'valid_0''s average_precision', 'auc_mu', 'valid_0''s auc_mu', 'ndcg@1',
		'valid_0''s ndcg@1', 'ndcg@5', 'valid_0''s ndcg@5', 'map@1', 'valid_0''s map@1', 'map@5', 'valid_0''s map@5']),
	('LightGBM', false, ARRAY[
		'l1', 'valid_0''s l1', 'l2', 'valid_0''s l2', 'rmse', 'valid_0''s rmse', 'quantile', 'valid_0''s quantile', 'mape', 'valid_0''s mape', 'huber',
		'valid_0''s huber', 'fair', 'valid_0''s fair', 'poisson', 'valid_0''s poisson', 'gamma', 'valid_0''s gamma', 'gamma_deviance',
		'valid_0''s gamma_deviance', 'tweedie', 'valid_0''s tweedie', 'binary_logloss', 'valid_0''s binary_logloss', 'binary_error',
		'valid_0''s binary_error', 'cross_entropy', 'valid_0''s cross_entropy', 'cross_entropy_lambda', 'valid_0''s cross_entropy_lambda',
		'kullback_leibler', 'valid_0''s kullback_leibler', 'multi_logloss', 'valid_0''s multi_logloss', 'multi_error', 'valid_0''s multi_error',
		'valid l2-mean']),
	('LightGBM', NULL, ARRAY[
		'valid l2-stdv']),
	('torchmetrics', true, ARRAY[
		'ARNIQA', 'AUROC', 'Accuracy', 'AdjustedMutualInfoScore', 'AdjustedRandScore', 'AveragePrecision', 'BERTScore', 'BLEUScore', 'BinaryAUROC',
		'BinaryAccuracy', 'BinaryAveragePrecision', 'BinaryCohenKappa', 'BinaryF1Score', 'BinaryFBetaScore', 'BinaryJaccardIndex', 'BinaryLogAUC',
		'BinaryMatthewsCorrCoef', 'BinaryNegativePredictiveValue', 'BinaryPrecision', 'BinaryPrecisionAtFixedRecall', 'BinaryRecall',
		'BinaryRecallAtFixedPrecision', 'BinarySensitivityAtSpecificity', 'BinarySpecificity', 'BinarySpecificityAtSensitivity', 'CHRFScore',
		'CLIPImageQualityAssessment', 'CLIPScore', 'CalinskiHarabaszScore', 'ClusterAccuracy', 'CohenKappa', 'CompleteIntersectionOverUnion',
		'CompletenessScore', 'ComplexScaleInvariantSignalNoiseRatio', 'ConcordanceCorrCoef', 'CosineSimilarity', 'CramersV', 'CriticalSuccessIndex',
		'DeepNoiseSuppressionMeanOpinionScore', 'DiceScore', 'DistanceIntersectionOverUnion', 'DunnIndex', 'ExactMatch', 'ExplainedVariance', 'F1Score',
		'FBetaScore', 'FleissKappa', 'FowlkesMallowsIndex', 'GeneralizedDiceScore', 'GeneralizedIntersectionOverUnion', 'HomogeneityScore',
		'InceptionScore', 'IntersectionOverUnion', 'JaccardIndex', 'KendallRankCorrCoef', 'LogAUC', 'MatthewsCorrCoef', 'MeanAveragePrecision', 'MeanIoU',
		'ModifiedPanopticQuality', 'MultiScaleStructuralSimilarityIndexMeasure', 'MulticlassAUROC', 'MulticlassAccuracy', 'MulticlassAveragePrecision',
		'MulticlassCohenKappa', 'MulticlassExactMatch', 'MulticlassF1Score', 'MulticlassFBetaScore', 'MulticlassJaccardIndex', 'MulticlassLogAUC',
		'MulticlassMatthewsCorrCoef', 'MulticlassNegativePredictiveValue', 'MulticlassPrecision', 'MulticlassPrecisionAtFixedRecall', 'MulticlassRecall',
		'MulticlassRecallAtFixedPrecision', 'MulticlassSensitivityAtSpecificity', 'MulticlassSpecificity', 'MulticlassSpecificityAtSensitivity',
		'MultilabelAUROC', 'MultilabelAccuracy', 'MultilabelAveragePrecision', 'MultilabelExactMatch', 'MultilabelF1Score', 'MultilabelFBetaScore',
		'MultilabelJaccardIndex', 'MultilabelLogAUC', 'MultilabelMatthewsCorrCoef', 'MultilabelNegativePredictiveValue', 'MultilabelPrecision',
		'MultilabelPrecisionAtFixedRecall', 'MultilabelRankingAveragePrecision', 'MultilabelRecall', 'MultilabelRecallAtFixedPrecision',
		'MultilabelSensitivityAtSpecificity', 'MultilabelSpecificity', 'MultilabelSpecificityAtSensitivity', 'MutualInfoScore', 'NegativePredictiveValue',
		'NonIntrusiveSpeechQualityAssessment', 'NormalizedMutualInfoScore', 'PanopticQuality', 'PeakSignalNoiseRatio',
		'PeakSignalNoiseRatioWithBlockedEffect', 'PearsonCorrCoef', 'PearsonsContingencyCoefficient', 'PerceptualEvaluationSpeechQuality', 'Precision',
		'PrecisionAtFixedRecall', 'QualityWithNoReference', 'R2Score', 'ROUGEScore', 'RandScore', 'Recall', 'RecallAtFixedPrecision', 'RetrievalAUROC',
		'RetrievalHitRate', 'RetrievalMAP', 'RetrievalMRR', 'RetrievalNormalizedDCG', 'RetrievalPrecision', 'RetrievalRPrecision', 'RetrievalRecall',
		'RetrievalRecallAtFixedPrecision', 'SQuAD', 'SacreBLEUScore', 'ScaleInvariantSignalDistortionRatio', 'ScaleInvariantSignalNoiseRatio',
		'SensitivityAtSpecificity', 'ShortTimeObjectiveIntelligibility', 'SignalDistortionRatio', 'SignalNoiseRatio',
		'SourceAggregatedSignalDistortionRatio', 'SpatialCorrelationCoefficient', 'SpearmanCorrCoef', 'Specificity', 'SpecificityAtSensitivity',
		'SpeechReverberationModulationEnergyRatio', 'StructuralSimilarityIndexMeasure', 'TheilsU', 'TschuprowsT', 'UniversalImageQualityIndex',
		'VMeasureScore', 'VideoMultiMethodAssessmentFusion', 'VisualInformationFidelity']),
	('torchmetrics', false, ARRAY[
		'BinaryCalibrationError', 'BinaryEER', 'BinaryHammingDistance', 'BinaryHingeLoss', 'CalibrationError', 'CharErrorRate',
		'ContinuousRankedProbabilityScore', 'DaviesBouldinScore', 'DeepImageStructureAndTextureSimilarity', 'EER', 'EditDistance',
		'ErrorRelativeGlobalDimensionlessSynthesis', 'ExtendedEditDistance', 'FrechetInceptionDistance', 'HammingDistance', 'HausdorffDistance',
		'HingeLoss', 'JensenShannonDivergence', 'KLDivergence', 'KernelInceptionDistance', 'LearnedPerceptualImagePatchSimilarity', 'LipVertexError',
		'LogCoshError', 'MatchErrorRate', 'MeanAbsoluteError', 'MeanAbsolutePercentageError', 'MeanSquaredError', 'MeanSquaredLogError',
		'MemorizationInformedFrechetInceptionDistance', 'MinkowskiDistance', 'MulticlassCalibrationError', 'MulticlassEER', 'MulticlassHammingDistance',
		'MulticlassHingeLoss', 'MultilabelCoverageError', 'MultilabelEER', 'MultilabelHammingDistance', 'MultilabelRankingLoss',
		'NormalizedRootMeanSquaredError', 'Perplexity', 'ProcrustesDisparity', 'RelativeAverageSpectralError', 'RelativeSquaredError', 'RetrievalFallOut',
		'RootMeanSquaredErrorUsingSlidingWindow', 'SpatialDistortionIndex', 'SpectralAngleMapper', 'SymmetricMeanAbsolutePercentageError', 'TotalVariation',
		'TranslationEditRate', 'TweedieDevianceScore', 'WeightedMeanAbsolutePercentageError', 'WordErrorRate', 'WordInfoLost']),
	('torchmetrics', NULL, ARRAY[
		'BinaryConfusionMatrix', 'BinaryFairness', 'BinaryGroupStatRates', 'BinaryPrecisionRecallCurve', 'BinaryROC', 'BinaryStatScores', 'CatMetric',
		'ConfusionMatrix', 'InfoLM', 'MaxMetric', 'MeanMetric', 'MinMaxMetric', 'MinMetric', 'MulticlassConfusionMatrix', 'MulticlassPrecisionRecallCurve',
		'MulticlassROC', 'MulticlassStatScores', 'MultilabelConfusionMatrix', 'MultilabelPrecisionRecallCurve', 'MultilabelROC', 'MultilabelStatScores',
		'PerceptualPathLength', 'PrecisionRecallCurve', 'ROC', 'RetrievalMetric', 'RetrievalPrecisionRecallCurve', 'RunningMean', 'RunningSum',
		'SpectralDistortionIndex', 'StatScores', 'SumMetric', 'WordInfoPreserved'])
) AS v (library, higher_is_better, metrics), unnest(v.metrics) AS m (metric);
SELECT library, count(*) FILTER (WHERE higher_is_better) AS higher, count(*) FILTER (WHERE NOT higher_is_better) AS lower,
	count(*) FILTER (WHERE higher_is_better IS NULL) AS neither
FROM known GROUP BY library ORDER BY library COLLATE "C";
-- none is told otherwise
SELECT k.*, modelreg.higher_is_better(k.metric) AS told
FROM known AS k
WHERE modelreg.higher_is_better(k.metric) IS DISTINCT FROM k.higher_is_better;

-- Whatever separates words and however they are written; what is not known is unknown
SELECT modelreg.higher_is_better(metric) AS higher, string_agg(metric, ' | ' ORDER BY n) AS metrics
FROM unnest(ARRAY[
	'-', '@', '@5', 'at', 'neg', 'neg_', 'neg_neg_loss', '-loss', 'train/-loss', '−loss', 'val–loss', 'val·loss', 'R²', 'F₁', 'lossless_ratio', 'closs',
	'glossary_score', 'error_free_rate', 'accuracy_loss', 'loss_reduction', 'val_f1_loss', 'AUROC', 'r2', 'R2Score', 'mAP@50', 'top-5 error',
	'p99LatencyMs', 'negLogLoss', 'neg_log_loss', 'negativeMeanSquaredError', 'neg_recall', 'neg_loss', 'neg_pair_loss', 'loss_neg', 'val/loss',
	'loss/train', 'cross_entropy', 'nll', 'false_positive_rate', 'aic', 'latency/p99', 'LOSS', 'loss_giou', 'giou_loss', 'train_loss_epoch',
	'best_loss_epoch', 'best_accuracy_step', 'best_loss', 'time_to_failure', 'watch_time', 'fit_time', 'train_runtime', 'epoch_time',
	'samples_per_second', 'eval_samples_per_second', 'errors_per_second', 'metrics/mAP50-95(B)', 'metrics/precision(B)', 'val/box_loss', 'recall@10',
	'pass@1', 'hits@10', 'fpr@95tpr', 'recall_at_precision_0.9', '1-accuracy', '1 - ssim', 'top-1-accuracy', 'acc1', 'uptime_ms', 'anomaly_score',
	'brier_score', 'davies_bouldin_score', 'score', 'test_score', 'learning_rate', 'epoch', 'support', 'accuracy_std', 'loss_train_val_diff',
	'delta_auc', 'error_rate', 'error_rate_reduction', 'explained_variance', 'negative_log_likelihood', 'negative_predictive_value', 'log_likelihood',
	'neg_log_likelihood', 'timeout', 'maestro', 'terror', 'uptime', 'perplexity', 'macro avg.f1-score', 'weighted avg/recall', 'recall_macro', 'f1',
	'F1', 'mIoU', 'nDCG@10', 'roc auc', 'ROC_AUC', 'auc-roc', 'PR AUC', 'validation_0-logloss', 'size', 'a_Loss_b', 'précision', 'perteerror', 'éloss',
	'损失', 'loss损失', 'loss 损失', 'latency-p99', 'latency_99th_percentile', 'Loss', 'ValLoss', 'valLoss', 'trainMAELoss', 'MAE', 'valMSE', 'WER',
	'avgCERPercent', 'real_time_factor', 'inference_ms', 'cost', 'cost_savings', 'saved_cost', 'avoided_errors', 'weight_loss', 'silhouette_score',
	'neg_mean_squared_error', 'test_neg_root_mean_squared_error', 'neg_rmse', 'neg_val_loss', 'val_neg_log_loss', 'loss2', 'gpu_hours', 'min', 'max',
	'mean', 'p99', 'n', 'false', 'true', 'one_minus_f1', 'loss at best epoch']) WITH ORDINALITY AS u (metric, n)
GROUP BY 1 ORDER BY 1;
-- hardly names, and long ones
SELECT modelreg.higher_is_better('') AS empty, modelreg.higher_is_better(' ') AS space, modelreg.higher_is_better('___') AS lines,
	modelreg.higher_is_better(repeat('a_', 511) || 'ms') AS words, modelreg.higher_is_better(repeat('_', 1019) || '_loss') AS longest,
	modelreg.higher_is_better(repeat('aB@-', 255) || 'loss') AS signs, modelreg.higher_is_better(repeat('x ', 1000000) || 'loss') AS too_long;

-- A direction can be set for every metric that can be registered, for it alone
SELECT model_id AS v FROM modelreg_register('v', 'm', '1.0.0',
	performance_metrics => (SELECT jsonb_object_agg(m, 1) FROM unnest(ARRAY['anomaly_score', 'Anomaly_score', '-loss', '@', 'a "quoted" \\ name', repeat('é', 256), '损失']) AS m)) \gset
SELECT count(*), count(higher_is_better) AS told, count(is_best) AS judged, count(rank) AS ranked FROM modelreg_compare(ARRAY[:'v']);
SELECT count(modelreg_set_metric_direction(metric, metric <> '-loss')::text) AS set FROM modelreg_compare(ARRAY[:'v']) WHERE metric <> 'Anomaly_score';
SELECT left(metric, 20) AS metric, rank, is_best, higher_is_better FROM modelreg_compare(ARRAY[:'v']);
