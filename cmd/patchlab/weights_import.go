package main

import (
	"bufio"
	"cmp"
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
		Short: "Record weights that timm saved, or an export, as a run",
		Long: `Record weights that timm saved, or an export of Patchlab's, as a run.

The file holds what timm (PyTorch Image Models) calls a model's state_dict, in
the safetensors format: nothing is unpickled. --as names the architecture, one
of "patchlab models --papers". The number of classes, and a ViT's image size and
class token, are the file's. A file of "weights export" says itself what it
holds, and needs no --as.

How pictures are shown to it, and its classes, come from the config.json that
timm writes beside the file, where there is one, else from timm's defaults;
flags have the last word. The run can then be evaluated, predict, be inspected,
and fine-tuned (train --init).`,
		Example: `  patchlab weights import model.safetensors --as vit_tiny_patch16_224
  patchlab weights import hub/model.safetensors --name flowers
  patchlab weights import exported.safetensors
  patchlab weights import deit.safetensors --as vit_tiny_patch16_224 \
      --mean .485,.456,.406 --std .229,.224,.225`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.as, "as", "", "the `architecture` (default: what the file says, or config.json)")
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
	file, err := readWeights(path)
	if err != nil {
		return err
	}
	im, as, err := o.imported(path, &file)
	if err == nil {
		err = im.Validate()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	config := im.Model
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
		Inputs: []tracker.Input{{Name: filepath.Base(path), Digest: file.digest, Context: "weights"}},
	}, im, file.named)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), wrapped("", fmt.Sprintf("Run %s: %s with %d classes, pictures of %d × %d pixels, recorded in %s",
		run.ID(), config.ID, config.Classes, config.ImageSize, config.ImageSize, o.db)))
	return nil
}

// imported is the network that a file holds, by its own word or by --as and what
// lies beside it, and the name that it goes by; the file's tensors get our names.
func (o *importFlags) imported(path string, file *weightFile) (im lab.Imported, as string, err error) {
	_, own := file.named["classifier/kernel"]
	if own && (o.mean != nil || o.std != nil) {
		return im, "", errors.New("it has Patchlab's names, and with them the statistics of its pixels: leave --mean and --std out")
	}
	if o.as == "" && !errors.Is(file.wrong, lab.ErrNotDescribed) {
		im = file.of
		if file.wrong == nil && o.crop != 0 {
			im.Data.View.Crop = o.crop
		}
		if file.wrong == nil && o.classes != "" {
			im.Data.Classes, file.wrong = readClasses(o.classes)
		}
		return im, im.Model.ID, file.wrong
	}
	known, err := readConfigBeside(path)
	if err != nil {
		return im, "", err
	}
	if as = cmp.Or(o.as, known.Architecture); as == "" {
		return im, "", errors.New("neither the file nor a config.json beside it says what it is; name the architecture with --as, one of: patchlab models --papers")
	}
	config, err := models.Parse(as)
	if err != nil {
		return im, "", fmt.Errorf("architecture %q: %w", as, err)
	}
	shown, err := o.shown(config, known)
	if err != nil {
		return im, "", err
	}
	if own {
		config, file.named, err = weights.FromOwn(config, file.named)
		shown.Crop = o.crop
	} else {
		config, file.named, err = weights.FromTimm(config, file.named, shown.Pixels)
	}
	view := datasets.View{Size: config.ImageSize, Crop: shown.Crop}
	return lab.Imported{Model: config, Data: experiments.Data{View: &view, Classes: shown.Classes}}, as, err
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
	var err error
	p.Classes, err = readClasses(o.classes)
	return p, err
}

// readClasses reads the names of classes, one a line.
func readClasses(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n"), nil
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

// weightFile is a safetensors file, read.
type weightFile struct {
	named  map[string]*tensors.Tensor
	digest string       // its SHA-256
	of     lab.Imported // what it says of its network
	wrong  error        // why of says nothing
}

// readWeights reads a safetensors file of weights that can compute.
func readWeights(path string) (file weightFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return file, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	if head, _ := in.Peek(9); isPickle(head) {
		return file, fmt.Errorf("%s is a PyTorch file, which can run code when it is read: convert it, in Python and only if you trust it, with safetensors.torch.save_file(model.state_dict(), FILE)", path)
	}
	hash := sha256.New()
	file.of, file.named, file.wrong = lab.ReadExport(io.TeeReader(in, hash))
	if file.named == nil {
		return file, fmt.Errorf("%s: %w", path, file.wrong)
	}
	if err := weights.CheckFinite(file.named); err != nil {
		return file, fmt.Errorf("%s: %w", path, err)
	}
	file.digest = hex.EncodeToString(hash.Sum(nil))
	return file, nil
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
