/*
 * The words that names of metrics are made of.
 *
 * The measures are those of scikit-learn, Keras, XGBoost, LightGBM and
 * torchmetrics, and what is common besides.  Where libraries contradict each
 * other or what they measure, there is no entry (dice, tversky).  Names that
 * only say what they are alone, such as time, are apart: time_to_failure and
 * watch_time are other things.
 *
 * Each list is sorted, as it is searched by halves; measures are written
 * without what parts their words.
 */
#include "postgres.h"

#include "base/measure.h"

static bool has_word(const char *word, const char *const *list, int count);
static int	compare_words(const void *word, const void *entry);

/*
 * Lower is better, whatever stands in front
 */
static const char *const lower[] = {
	"aic", "aicc", "akaike", "bce", "bic", "brier", "brierscore",
	"calibrationerror", "categoricalhinge", "cer",
	"continuousrankedprobabilityscore", "cost", "costs", "crossentropy",
	"crossentropylambda", "crps", "daviesbouldin", "daviesbouldinindex",
	"daviesbouldinscore", "deepimagestructureandtexturesimilarity", "deviance",
	"dic", "dists", "drawdown", "ece", "editdistance", "eer", "energyscore",
	"equalerrorrate", "ergas", "err", "error", "errorrate",
	"errorrelativeglobaldimensionlesssynthesis", "errors", "errs",
	"extendededitdistance", "fad", "failurerate", "failures", "fallout",
	"falseacceptancerate", "falsealarmrate", "falsealarms",
	"falsediscoveryrate", "falsenegative", "falsenegativerate",
	"falsenegatives", "falseomissionrate", "falsepositive",
	"falsepositiverate", "falsepositives", "falserejectionrate", "fdr", "fid",
	"fnr", "fpr", "frechetinceptiondistance", "fvd", "hammingdistance",
	"hausdorffdistance", "hd95", "hinge", "huber", "inertia", "intervalscore",
	"jensenshannon", "jensenshannondivergence", "jsd", "jsdivergence",
	"kernelinceptiondistance", "kid", "kld", "kldiv", "kldivergence",
	"kullbackleibler", "kullbackleiblerdivergence", "l1", "l2", "latencies",
	"latency", "learnedperceptualimagepatchsimilarity", "levenshtein",
	"levenshteindistance", "logcosh", "logloss", "loglosses", "loss", "losses",
	"lossrate", "lpips", "mae", "mape", "mase", "maxdrawdown", "mdae", "mdape",
	"medae", "memorizationinformedfrechetinceptiondistance", "mer", "merror",
	"minkowskidistance", "misclassificationrate", "misclassifications",
	"missrate", "mlogloss", "mphe", "mpjpe", "mse", "msle", "mspe",
	"negativelikelihoodratio", "negativeloglikelihood", "negloglik",
	"negloglike", "negloglikelihood", "nll", "nloglik", "nmae", "nmse",
	"nrmse", "pampjpe", "penalty", "perplexity", "pinball", "ppl",
	"procrustesdisparity", "rae", "rankedprobabilityscore", "regret", "rmse",
	"rmsle", "rmspe", "rmsse", "rootmeansquarederrorusingslidingwindow",
	"rrse", "rse", "rss", "smape", "spatialdistortionindex",
	"spectralanglemapper", "squaredhinge", "sse", "ter", "translationeditrate",
	"wape", "wasserstein", "wassersteindistance", "wer", "wil", "winklerscore",
	"wmape", "wordinfolost", "xent", "xentropy"
};

/*
 * Lower is better, if no word stands in front but those that say where
 */
static const char *const lower_alone[] = {
	"circle", "ctc", "duration", "durations", "elapsed", "fair", "far", "frr",
	"gamma", "hours", "mad", "minutes", "ms", "msec", "ns", "poisson",
	"quantile", "runtime", "sec", "second", "seconds", "secs", "time", "times",
	"totalvariation", "tv", "tweedie", "us", "usec", "walltime"
};

/*
 * Higher is better, unless what stands in front is one of the lower
 */
static const char *const higher[] = {
	"acc", "accuracy", "adjr2", "adjustedmutualinfoscore", "adjustedr2",
	"adjustedrandindex", "adjustedrandscore", "ami", "ap", "ari", "arniqa",
	"auc", "aucmu", "aucpr", "aucroc", "aupr", "auprc", "auroc", "aurocauc",
	"availability", "averageprecision", "balancedaccuracy", "bertscore",
	"bleu", "bleuscore", "calinskiharabasz", "calinskiharabaszindex",
	"calinskiharabaszscore", "ccc", "chrf", "chrfscore", "cider", "cindex",
	"ciou", "clipimagequalityassessment", "clipscore", "clusteraccuracy",
	"cohenkappa", "cohenskappa", "completeintersectionoverunion",
	"completeness", "completenessscore",
	"complexscaleinvariantsignalnoiseratio", "concordance",
	"concordancecorrcoef", "concordancecorrelation", "concordanceindex",
	"consensusscore", "cosinesimilarity", "cramersv", "criticalsuccessindex",
	"csi", "csisnr", "d2", "d2absoluteerrorscore", "d2brierscore",
	"d2loglossscore", "d2pinballscore", "d2tweediescore", "dcg",
	"deepnoisesuppressionmeanopinionscore", "devianceexplained", "dicecoef",
	"dicecoefficient", "dicescore", "diou", "distanceintersectionoverunion",
	"dnsmos", "dunnindex", "elbo", "elpd", "episodereturn", "exactmatch",
	"explaineddeviance", "explainedvariance", "explainedvariancescore", "f05",
	"f1", "f1measure", "f1score", "f2", "fbeta", "fbetascore", "fleisskappa",
	"fmeasure", "fowlkesmallows", "fowlkesmallowsindex", "fowlkesmallowsscore",
	"fscore", "generalizeddicescore", "generalizedintersectionoverunion",
	"giou", "hitrate", "hitratio", "homogeneity", "homogeneityscore",
	"imagespersecond", "inceptionscore", "intersectionoverunion", "iou",
	"jaccard", "jaccardindex", "jaccardscore", "kappa", "kendall",
	"kendallrankcorrcoef", "kendalltau", "lift", "logauc", "loglik",
	"loglikelihood", "map", "matthewscorrcoef",
	"matthewscorrelationcoefficient", "mcc", "meaniou", "meanopinionscore",
	"meanreciprocalrank", "meteor", "miou", "modifiedpanopticquality", "mos",
	"mrr", "msssim", "multiscalestructuralsimilarityindexmeasure",
	"mutualinfo", "mutualinformation", "mutualinfoscore", "ndcg",
	"negativepredictivevalue", "nisqa", "nmi",
	"nonintrusivespeechqualityassessment", "normalizeddcg",
	"normalizeddiscountedcumulativegain", "normalizedmutualinfoscore", "npv",
	"panopticquality", "passrate", "peaksignalnoiseratio",
	"peaksignalnoiseratiowithblockedeffect", "pearson", "pearsoncorrcoef",
	"pearsoncorrelation", "pearsonr", "pearsonscontingencycoefficient",
	"perceptualevaluationspeechquality", "pesq", "positivelikelihoodratio",
	"positivepredictivevalue", "ppv", "prauc", "precision",
	"predictionspersecond", "psnr", "psnrb", "qps", "qualitywithnoreference",
	"qwk", "r2", "r2score", "randindex", "randscore", "recall",
	"reciprocalrank", "requestspersecond", "reward", "rewards", "rocauc",
	"rouge", "rougel", "rougelsum", "rougen", "rougescore", "rps", "rsq",
	"rsquared", "sacrebleu", "samplespersecond",
	"scaleinvariantsignaldistortionratio", "scaleinvariantsignalnoiseratio",
	"sdr", "sensitivity", "sharpe", "sharperatio",
	"shorttimeobjectiveintelligibility", "signaldistortionratio",
	"signalnoiseratio", "silhouette", "silhouettescore", "sisdr", "sisnr",
	"snr", "sourceaggregatedsignaldistortionratio",
	"spatialcorrelationcoefficient", "spearman", "spearmancorrcoef",
	"spearmancorrelation", "spearmanr", "specificity",
	"speechreverberationmodulationenergyratio", "squad", "srmr", "ssim",
	"stepspersecond", "stoi", "structuralsimilarityindexmeasure",
	"successrate", "theilsu", "throughput", "tnr", "tokenspersecond", "tpr",
	"truenegative", "truenegativerate", "truenegatives", "truepositive",
	"truepositiverate", "truepositives", "tschuprowst",
	"universalimagequalityindex", "uptime", "uqi",
	"videomultimethodassessmentfusion", "vif", "visualinformationfidelity",
	"vmaf", "vmeasure", "vmeasurescore", "winrate"
};

/*
 * Higher is better, if no word stands in front but those that say where
 */
static const char *const higher_alone[] = {
	"ams", "hit", "hits", "mar", "pass", "pre"
};

/*
 * Words that say where or how it was measured, and so may be left out
 */
static const char *const places[] = {
	"average", "avg", "batch", "best", "binary", "char", "chars", "class",
	"classes", "current", "cv", "dev", "ema", "epoch", "eval", "evaluation",
	"example", "examples", "final", "fit", "fold", "heldout", "holdout",
	"hours", "image", "images", "inference", "item", "items", "iteration",
	"last", "live", "load", "macro", "max", "mean", "median", "metric",
	"metrics", "micro", "min", "minutes", "ms", "msec", "multi", "multiclass",
	"multilabel", "ns", "offline", "online", "oof", "overall", "ovo", "ovr",
	"pct", "per", "percent", "percentage", "percentile", "pixel", "predict",
	"prediction", "predictions", "prod", "queries", "query", "request",
	"requests", "response", "row", "rows", "running", "s", "sample", "samples",
	"score", "sec", "second", "seconds", "secs", "serving", "set", "smoothed",
	"split", "step", "sum", "test", "testing", "token", "tokens", "top",
	"total", "train", "trained", "training", "us", "usec", "val", "valid",
	"validation", "value", "wall", "weighted", "word", "words", "worst"
};

/*
 * Words that may stand between neg and the name of an error
 */
static const char *const kinds[] = {
	"absolute", "binary", "categorical", "gamma", "hamming", "hinge", "log",
	"logarithmic", "max", "mean", "median", "multi", "normalized", "one",
	"percentage", "pinball", "poisson", "quantile", "ranking", "relative",
	"root", "sparse", "squared", "symmetric", "tweedie", "weighted", "zero"
};

/*
 * Words in front that make another measure of it
 */
static const char *const turning[] = {
	"anti", "avoided", "budget", "caught", "change", "corrected", "decline",
	"decrease", "delta", "detected", "diff", "difference", "drop", "explained",
	"fixed", "free", "gap", "goal", "improvement", "increase", "inv",
	"inverse", "inverted", "limit", "minus", "no", "non", "not", "num",
	"prevented", "ratio", "recovered", "reduced", "reduction", "saved", "sd",
	"sem", "std", "stddev", "stdev", "stdv", "target", "thresh", "threshold",
	"un", "var", "variance", "versus", "vs", "without", "wrong"
};

/*
 * Looks a measure up by its words, written together.
 */
bool
mr_measure_find(const char *words, MrMeasure *measure)
{
	bool		is_lower = has_word(words, lower, lengthof(lower));
	bool		is_higher = has_word(words, higher, lengthof(higher));

	measure->is_alone = !is_lower && !is_higher;
	if (measure->is_alone)
	{
		is_lower = has_word(words, lower_alone, lengthof(lower_alone));
		is_higher = has_word(words, higher_alone, lengthof(higher_alone));
	}
	measure->direction = is_lower ? MR_DIRECTION_LOWER : MR_DIRECTION_HIGHER;
	return is_lower || is_higher;
}

/*
 * Whether the word only says where or how something was measured.
 */
bool
mr_measure_is_place(const char *word)
{
	return has_word(word, places, lengthof(places));
}

/*
 * Whether the word says of what kind an error is.
 */
bool
mr_measure_is_kind(const char *word)
{
	return has_word(word, kinds, lengthof(kinds));
}

/*
 * Whether the word makes another measure of what follows.
 */
bool
mr_measure_is_turning(const char *word)
{
	return has_word(word, turning, lengthof(turning));
}

static bool
has_word(const char *word, const char *const *list, int count)
{
#ifdef USE_ASSERT_CHECKING
	for (int i = 1; i < count; i++)
		Assert(strcmp(list[i - 1], list[i]) < 0);
#endif
	return bsearch(word, list, count, sizeof(*list), compare_words) != NULL;
}

static int
compare_words(const void *word, const void *entry)
{
	return strcmp(word, *(const char *const *) entry);
}
