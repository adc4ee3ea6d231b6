package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/spf13/cobra"

	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
	"patchlab/weights"
)

// importFlags are those of patchlab weights import.
type importFlags struct {
	as, name, experiment, classes, db string
	mean, std                         []float64
	crop                              float64
}

func newWeightsImportCommand() *cobra.Command {
	var o importFlags
	cmd := &cobra.Command{
		Use:   "import FILE.safetensors",
		Short: "Record weights that timm saved as a run",
		Long: `Record weights that timm saved as a run.

The file holds what timm (PyTorch Image Models) calls a model's state_dict, in
the safetensors format: nothing is unpickled. --as names the architecture, one of
"patchlab models --papers", or a stack with the names of Patchlab's own export.
The number of classes, and a ViT's image size and class token, are the file's.

How pictures are shown to it, and its classes, come from the config.json that
timm writes beside the file, where there is one, else from timm's defaults; flags
have the last word. The run can then be evaluated, predict, be inspected, and
fine-tuned (train --init).`,
		Example: `  patchlab weights import model.safetensors --as vit_tiny_patch16_224
  patchlab weights import hub/model.safetensors --name flowers
  patchlab weights import deit.safetensors --as vit_tiny_patch16_224 \
      --mean .485,.456,.406 --std .229,.224,.225`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.as, "as", "", "the `architecture` (default: that of config.json)")
	f.StringVar(&o.name, "name", "", "the run's name (default: the file's)")
	f.StringVar(&o.experiment, "experiment", "", "the experiment that the run belongs to")
	f.StringVar(&o.classes, "classes", "", "`file` with the classes' names, one a line")
	f.Float64SliceVar(&o.mean, "mean", nil, "each channel's, from pixels of 0 to 1")
	f.Float64SliceVar(&o.std, "std", nil, "each channel's standard deviation")
	f.Float64Var(&o.crop, "crop", 0, "`part` of a picture's shorter side that is shown, above 0 to 1")
	dbFlag(f, &o.db)
	cmd.RegisterFlagCompletionFunc("as", completeModels)
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"safetensors"}, cobra.ShellCompDirectiveFilterFileExt
	}
	return cmd
}

func (o *importFlags) run(cmd *cobra.Command, path string) error {
	known, err := readConfigBeside(path)
	if err != nil {
		return err
	}
	as := o.as
	if as == "" {
		as = known.Architecture
	}
	if as == "" {
		return fmt.Errorf("no config.json beside %s says what it is; name the architecture with --as, one of: patchlab models --papers", path)
	}
	config, err := models.Parse(as)
	if err != nil {
		return fmt.Errorf("architecture %q: %w", as, err)
	}
	shown, err := o.shown(config, known)
	if err != nil {
		return err
	}
	file, digest, err := readWeights(path)
	if err != nil {
		return err
	}
	var named map[string]*tensors.Tensor
	if _, own := file["classifier/kernel"]; own {
		if o.mean != nil || o.std != nil {
			return fmt.Errorf("%s has Patchlab's names, and with them the statistics of its pixels: leave --mean and --std out", path)
		}
		config, named, err = weights.FromOwn(config, file)
		shown.Crop = o.crop
	} else {
		config, named, err = weights.FromTimm(config, file, shown.Pixels)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	view := datasets.View{Size: config.ImageSize, Crop: shown.Crop}
	im := lab.Imported{Model: config, Data: experiments.Data{View: &view, Classes: shown.Classes}}
	if err := im.Validate(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	db, err := tracker.Open(o.db)
	if err != nil {
		return err
	}
	name := o.name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	run, err := lab.Import(cmd.Context(), db, tracker.Spec{
		Experiment: o.experiment, Name: name, Tags: map[string]string{"imported.as": as},
		Inputs: []tracker.Input{{Name: filepath.Base(path), Digest: digest, Context: "weights"}},
	}, im, named)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Run %s: %s with %d classes, pictures of %d × %d pixels, recorded in %s\n",
		run.ID(), config.ID, config.Classes, config.ImageSize, config.ImageSize, o.db)
	return nil
}

// shown is how pictures are shown to the network: by the flags, else by
// config.json, else as timm's architectures are used to.
func (o *importFlags) shown(config models.Config, known weights.Pretrained) (weights.Pretrained, error) {
	p := weights.TimmDefaults(config)
	for _, from := range []weights.Pretrained{known, {Pixels: weights.Pixels{Mean: o.mean, Std: o.std}, Crop: o.crop}} {
		if from.Mean != nil {
			p.Mean = from.Mean
		}
		if from.Std != nil {
			p.Std = from.Std
		}
		if from.Crop != 0 {
			p.Crop = from.Crop
		}
	}
	p.Classes = known.Classes
	if o.classes == "" {
		return p, nil
	}
	text, err := os.ReadFile(o.classes)
	if err != nil {
		return p, err
	}
	p.Classes = strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	return p, nil
}

// readConfigBeside reads the config.json in a file's folder, if there is one.
func readConfigBeside(path string) (weights.Pretrained, error) {
	name := filepath.Join(filepath.Dir(path), "config.json")
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return weights.Pretrained{}, nil
	}
	if err != nil {
		return weights.Pretrained{}, err
	}
	defer f.Close()
	p, err := weights.ReadConfig(f)
	if err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// readWeights reads a safetensors file, and its SHA-256.
func readWeights(path string) (map[string]*tensors.Tensor, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	if head, _ := in.Peek(9); isPickle(head) {
		return nil, "", fmt.Errorf("%s is a PyTorch file, which can run code when it is read: convert it, in Python and only if you trust it, with safetensors.torch.save_file(model.state_dict(), FILE)", path)
	}
	hash := sha256.New()
	named, err := weights.Read(io.TeeReader(in, hash))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return named, hex.EncodeToString(hash.Sum(nil)), nil
}

// isPickle knows how a pickle begins: a zip archive, as torch.save writes it, or
// the number of a protocol. A safetensors file may begin like the latter, with the
// length of its header, but then has "{" after 8 bytes.
func isPickle(head []byte) bool {
	if strings.HasPrefix(string(head), "PK\x03\x04") {
		return true
	}
	return len(head) > 1 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 && (len(head) < 9 || head[8] != '{')
}
