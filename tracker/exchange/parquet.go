package exchange

import (
	"context"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"patchlab/tracker"
)

// parquetPoint is a row of WriteParquet's files.
type parquetPoint struct {
	Run        string  `parquet:"run,dict"`
	Name       string  `parquet:"name,dict"`
	Experiment string  `parquet:"experiment,dict"`
	Metric     string  `parquet:"metric,dict"`
	Step       int64   `parquet:"step,delta"`
	Time       int64   `parquet:"time,timestamp(microsecond)"`
	Value      float64 `parquet:"value"`
}

// WriteParquet writes every point of the runs, one a row, in the columns of
// WriteCSV; times are UTC in microseconds, values are doubles.
func WriteParquet(ctx context.Context, w io.Writer, db *tracker.DB, runs []tracker.RunInfo) error {
	out := parquet.NewGenericWriter[parquetPoint](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(1<<20))
	for _, run := range runs {
		for _, key := range sortedKeys(run.Metrics) {
			points, err := db.History(ctx, run.ID, key)
			if err != nil {
				return err
			}
			rows := make([]parquetPoint, len(points))
			for i, p := range points {
				rows[i] = parquetPoint{run.ID, run.Name, run.Experiment, key, p.Step, p.Time.UnixMicro(), p.Value}
			}
			if _, err := out.Write(rows); err != nil {
				return fmt.Errorf("writing Parquet: %w", err)
			}
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("writing Parquet: %w", err)
	}
	return nil
}
