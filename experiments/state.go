package experiments

import "patchlab/datasets"

// state is where a run stands, besides its weights and moments: what a
// checkpoint must hold for the run to continue bit for bit. The order of the
// images and the dropout masks follow from seed, epoch and step.
type state struct {
	Recipe  string `json:"recipe"`  // digest
	Dataset string `json:"dataset"` // digest
	Backend string `json:"backend"`

	Epochs int   `json:"epochs"` // completed
	Images int   `json:"images"` // used of the current epoch
	Steps  int64 `json:"steps"`  // completed since the beginning
	Done   bool  `json:"done"`   // no more epochs: only the test is left

	LearningRate float64 `json:"learning_rate"`
	Plateau      stall   `json:"plateau"`
	Stopping     stall   `json:"early_stopping"`

	// Sums over the current epoch.
	Loss float64 `json:"loss"` // summed over images
	Top1 float64 `json:"top1"` // counts
	Top5 float64 `json:"top5"`

	Best    EpochResult   `json:"best"`
	History []EpochResult `json:"history"`
	Timing  Timing        `json:"timing"`
}

// EpochResult is what an epoch came to.
type EpochResult struct {
	Epoch        int     `json:"epoch"` // counted from 1
	TrainLoss    float64 `json:"train_loss"`
	TrainTop1    float64 `json:"train_accuracy"`
	TrainTop5    float64 `json:"train_top5"`
	ValLoss      float64 `json:"val_loss"`
	ValTop1      float64 `json:"val_accuracy"`
	ValTop5      float64 `json:"val_top5"`
	LearningRate float64 `json:"learning_rate"`
	TrainSeconds float64 `json:"train_seconds"`
	EvalSeconds  float64 `json:"eval_seconds"`
}

func (r EpochResult) metrics() map[string]float64 {
	return map[string]float64{
		"train_loss": r.TrainLoss, "train_accuracy": r.TrainTop1, "train_top5": r.TrainTop5,
		"val_loss": r.ValLoss, "val_accuracy": r.ValTop1, "val_top5": r.ValTop5,
		"learning_rate": r.LearningRate, "train_seconds": r.TrainSeconds, "eval_seconds": r.EvalSeconds,
	}
}

// validation is the part of an epoch's result that decides what is kept.
func (r EpochResult) validation() Evaluation {
	return Evaluation{Loss: r.ValLoss, Top1: r.ValTop1, Top5: r.ValTop5}
}

// Timing holds wall times in seconds, kept apart, over all the processes of a
// run that was interrupted and resumed.
type Timing struct {
	Compile float64 `json:"compile_seconds"`
	Train   float64 `json:"train_seconds"` // data loading included
	Eval    float64 `json:"eval_seconds"`
	ToBest  float64 `json:"seconds_to_best"` // training and evaluation until the kept epoch's end
	// SteadyImages were trained on in SteadySeconds, without warm-up.
	SteadySeconds float64 `json:"steady_seconds"`
	SteadyImages  int     `json:"steady_images"`
	PeakMemory    int64   `json:"peak_memory_bytes"`
	// epoch's own seconds so far
	EpochTrain float64 `json:"epoch_train_seconds"`
	// StepMillis are the times of full batches without warm-up, in order.
	StepMillis []float32 `json:"step_millis"`
}

// warmup is how many steps after a start or a resumption are not counted in
// step times and throughput.
const warmup = 5

func (s *state) add(r stepResult, images int) {
	s.Steps++
	s.Images += images
	s.Loss += r.loss * float64(images)
	s.Top1 += r.top1
	s.Top5 += r.top5
}

// endEpoch closes the current epoch with its validation result.
func (s *state) endEpoch(val Evaluation, keep Keep) (result EpochResult, better bool) {
	n := float64(s.Images)
	s.Timing.Eval += val.Duration.Seconds()
	result = EpochResult{
		Epoch: s.Epochs + 1, TrainLoss: s.Loss / n, TrainTop1: s.Top1 / n, TrainTop5: s.Top5 / n,
		ValLoss: val.Loss, ValTop1: val.Top1, ValTop5: val.Top5, LearningRate: s.LearningRate,
		TrainSeconds: s.Timing.EpochTrain, EvalSeconds: val.Duration.Seconds(),
	}
	s.History = append(s.History, result)
	better = s.Epochs == 0 || keep.Better(val, s.Best.validation())
	if better {
		s.Best = result
		s.Timing.ToBest = s.Timing.Train + s.Timing.Eval
	}
	s.Epochs++
	s.Images, s.Loss, s.Top1, s.Top5, s.Timing.EpochTrain = 0, 0, 0, 0, 0
	return result, better
}

// schedule applies the plateau rule and early stopping after an epoch.
func (s *state) schedule(r Recipe, valLoss float64) {
	if p := r.Plateau; p != nil && s.Plateau.observe(valLoss, p.MinDelta, p.Patience) {
		s.LearningRate *= p.Factor
		s.Plateau.Wait = 0
	}
	if e := r.EarlyStopping; e != nil && s.Stopping.observe(valLoss, 0, e.Patience) {
		s.Done = true
	}
	if s.Epochs >= r.Epochs {
		s.Done = true
	}
}

// order is the current epoch's order of the training images.
func (s *state) order(train datasets.Split, seed int64) []int32 {
	return datasets.Order(train.Len(), seed, s.Epochs)
}
