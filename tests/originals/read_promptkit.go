// What PromptKit makes of recordings, as one JSON document by file: `read_promptkit FILE…`.
//
// It is built inside a checkout of PromptKit, whose loader, players and stores it calls, and knows
// nothing of strongroom. Blobs and annotations are looked for beside the file or its folder.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/AltairaLabs/PromptKit/runtime/annotations"
	"github.com/AltairaLabs/PromptKit/runtime/events"
	"github.com/AltairaLabs/PromptKit/runtime/recording"
)

// Its player is asked at the start, after each quarter and at the end.
const quarters = 4

type object = map[string]any

func main() {
	found := object{}
	for _, path := range os.Args[1:] {
		found[path] = tried(path)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		panic(err)
	}
}

// What is read, or how PromptKit broke on it.
func tried(path string) (found object) {
	defer func() {
		if broke := recover(); broke != nil {
			found = object{"broke": fmt.Sprint(broke)}
		}
	}()
	return read(path)
}

func read(path string) object {
	loaded := must(recording.Load(path))
	typed := must(loaded.ToTypedEvents())
	said := annotated(path, loaded.Metadata.SessionID)
	return object{
		"metadata":    loaded.Metadata,
		"start_ns":    loaded.Metadata.StartTime.UnixNano(),
		"end_ns":      loaded.Metadata.EndTime.UnixNano(),
		"events":      happened(loaded, typed),
		"annotations": said,
		"replay":      replayed(loaded, said),
		"tracks":      tracks(path, loaded),
		"blobs":       stored(path, typed),
		"kept":        kept(loaded),
	}
}

// Every event, and whether its payload became one of PromptKit's own types.
func happened(loaded *recording.SessionRecording, typed []*events.Event) []object {
	found := make([]object, 0, len(typed))
	for i := range loaded.Events {
		event := &loaded.Events[i]
		found = append(found, object{
			"seq": event.Sequence, "parent": event.ParentSequence, "type": event.Type,
			"at_ns": event.Timestamp.UnixNano(), "offset_ns": event.Offset,
			"session": event.SessionID, "conversation": event.ConversationID, "run": event.RunID,
			"data_type": event.DataType, "data": event.Data, "typed": typed[i].Data != nil,
		})
	}
	return found
}

// What its player answers: at some instants, past both ends, going on and going back.
func replayed(loaded *recording.SessionRecording, said []*annotations.Annotation) object {
	player := must(recording.NewReplayPlayer(loaded))
	player.SetAnnotations(said)
	length := player.Duration()
	states := []object{}
	for n := range quarters + 1 {
		player.Seek(length / quarters * time.Duration(n))
		states = append(states, state(player.GetState()))
	}
	player.Seek(length + time.Hour)
	high, position := player.Position(), player.FormatPosition()
	player.Seek(-time.Hour)
	low, all := player.Position(), numbers(player.Advance(length+time.Hour))
	return object{
		"length_ns": length, "states": states, "high_ns": high, "low_ns": low,
		"position": position, "all": all, "back": len(player.AdvanceTo(0)),
	}
}

func state(at *recording.PlaybackState) object {
	messages, active := []object{}, []string{}
	for _, one := range at.Messages {
		messages = append(messages, object{
			"role": one.Role, "text": one.Content, "at_ns": one.Timestamp.UnixNano(),
		})
	}
	for _, one := range at.ActiveAnnotations {
		active = append(active, one.ID)
	}
	return object{
		"offset_ns": at.Position, "at_ns": at.Timestamp.UnixNano(),
		"current": numbers(at.CurrentEvents), "recent": numbers(at.RecentEvents),
		"messages": messages, "annotations": active,
		"input": at.AudioInputActive, "output": at.AudioOutputActive,
	}
}

func numbers(found []recording.RecordedEvent) []int64 {
	all := make([]int64, 0, len(found))
	for i := range found {
		all = append(all, found[i].Sequence)
	}
	return all
}

// The sound of each track as its timeline writes it, a WAV; or why it writes none.
func tracks(path string, loaded *recording.SessionRecording) object {
	timeline := must(loaded.ToMediaTimeline(blobs(path)))
	found := object{}
	for kind, track := range timeline.Tracks {
		one := object{"pieces": len(track.Segments), "length_ns": track.TotalDuration}
		inFolder(func(folder string) {
			name := filepath.Join(folder, "track.wav")
			if err := timeline.ExportAudioToWAV(kind, name); err != nil {
				one["broke"] = err.Error()
				return
			}
			sound := must(os.ReadFile(name))
			one["sha256"], one["bytes"] = digest(sound), len(sound)
		})
		found[string(kind)] = one
	}
	return found
}

// Every blob that a piece of audio names: whether its store has it, and it is what is said of it.
func stored(path string, typed []*events.Event) []object {
	found, store := []object{}, blobs(path)
	for _, event := range typed {
		audio, ok := event.Data.(*events.AudioEventData)
		if !ok || audio.Payload.StorageRef == "" {
			continue
		}
		payload := audio.Payload
		one := object{"ref": payload.StorageRef, "bytes": payload.Size, "type": event.Type, "same": false}
		if store != nil {
			data, err := store.Load(context.Background(), payload.StorageRef)
			one["same"] = err == nil && int64(len(data)) == payload.Size &&
				payload.Checksum == "sha256:"+digest(data)
		}
		found = append(found, one)
	}
	return found
}

// Its store of the blobs; nil where there are none.
func blobs(path string) events.BlobStore {
	folder := beside(path, "blobs")
	if folder == "" {
		return nil
	}
	return must(events.NewFileBlobStore(folder))
}

// What its store has of annotations that are not deleted, by their ids.
func annotated(path, session string) []*annotations.Annotation {
	folder := beside(path, "annotations")
	if folder == "" || session == "" {
		return []*annotations.Annotation{}
	}
	store := must(annotations.NewFileStore(folder))
	defer store.Close()
	filter := &annotations.Filter{SessionID: session}
	found := append([]*annotations.Annotation{}, must(store.Query(context.Background(), filter))...)
	sort.Slice(found, func(i, j int) bool { return found[i].ID < found[j].ID })
	return found
}

// The folder of that name beside the file or beside its folder; empty if there is none.
func beside(path, name string) string {
	for _, folder := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		wanted := filepath.Join(folder, name)
		if info, err := os.Stat(wanted); err == nil && info.IsDir() {
			return wanted
		}
	}
	return ""
}

// Whether it stays what it is when PromptKit saves it, in both forms, and loads it again.
func kept(loaded *recording.SessionRecording) bool {
	same := true
	before := must(json.Marshal(loaded))
	inFolder(func(folder string) {
		for _, form := range []recording.Format{recording.FormatJSON, recording.FormatJSONLines} {
			name := filepath.Join(folder, "again."+string(form))
			if err := loaded.SaveTo(name, form); err != nil {
				panic(err)
			}
			same = same && bytes.Equal(before, must(json.Marshal(must(recording.Load(name)))))
		}
	})
	return same
}

func inFolder(do func(folder string)) {
	folder := must(os.MkdirTemp("", "promptkit"))
	defer os.RemoveAll(folder)
	do(folder)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// What came back, or the panic that `tried` tells of.
func must[T any](found T, err error) T {
	if err != nil {
		panic(err)
	}
	return found
}
